"""Every message that a network's prototxt may hold."""

from __future__ import annotations

from collections.abc import Mapping

from .notation import FieldType, fields

_ENGINE = "engine (DEFAULT|CAFFE|CUDNN) = DEFAULT"

_NET = {
    "NetParameter": """name string; input string*; input_dim int*; input_shape BlobShape*; force_backward bool; state NetState;
        debug_info bool; layer LayerParameter*; layers V1LayerParameter*""",
    "BlobShape": "dim int*",
    "NetState": "phase (TRAIN|TEST) = TEST; level int = 0; stage string*",
    "NetStateRule": "phase (TRAIN|TEST); min_level int; max_level int; stage string*; not_stage string*",
    "ParamSpec": "name string; share_mode (STRICT|PERMISSIVE); lr_mult float; decay_mult float",
}

_COMMON = """bottom string*; top string*; include NetStateRule*; exclude NetStateRule*; loss_weight float*; blobs any*;
    transform_param any; loss_param any; accuracy_param any; contrastive_loss_param any; hdf5_output_param any; hinge_loss_param any;
    infogain_loss_param any; window_data_param any;
    argmax_param ArgMaxParameter; concat_param ConcatParameter; convolution_param ConvolutionParameter; data_param any;
    dropout_param DropoutParameter; dummy_data_param DummyDataParameter; eltwise_param EltwiseParameter; exp_param ExpParameter;
    hdf5_data_param any; image_data_param any; inner_product_param InnerProductParameter; lrn_param LRNParameter;
    memory_data_param any; mvn_param MVNParameter; pooling_param PoolingParameter; power_param PowerParameter; relu_param ReLUParameter;
    sigmoid_param SigmoidParameter; softmax_param SoftmaxParameter; slice_param SliceParameter; tanh_param TanHParameter;
    threshold_param ThresholdParameter"""

_LAYERS = {
    "LayerParameter": f"""name string; type word; phase (TRAIN|TEST); param ParamSpec*; propagate_down bool*; {_COMMON};
        batch_norm_param BatchNormParameter; bias_param BiasParameter; clip_param ClipParameter; crop_param CropParameter;
        elu_param ELUParameter; embed_param any; flatten_param FlattenParameter; input_param InputParameter; log_param LogParameter;
        parameter_param any; permute_param PermuteParameter; prelu_param PReLUParameter; python_param any; recurrent_param any;
        reduction_param ReductionParameter; reshape_param ReshapeParameter; scale_param ScaleParameter; spp_param any;
        swish_param SwishParameter; tile_param TileParameter; shuffle_channel_param ShuffleChannelParameter; annotated_data_param any;
        relu6_param any""",
    "V1LayerParameter": f"""name string; type word; param string*; blob_share_mode (STRICT|PERMISSIVE)*; blobs_lr float*;
        weight_decay float*; layer any; {_COMMON}""",
}

_WINDOWS = f"""kernel_h uint; kernel_w uint; stride_h uint; stride_w uint; pad_h uint = 0; pad_w uint = 0; {_ENGINE}"""

_PARAMETERS = {
    "ArgMaxParameter": "out_max_val bool = false; top_k uint = 1; axis int",
    "BatchNormParameter": "use_global_stats bool; moving_average_fraction float; eps float = 1e-5",
    "BiasParameter": "axis int = 1; num_axes int = 1; filler FillerParameter",
    "ClipParameter": "min float; max float",
    "ConcatParameter": "axis int = 1; concat_dim uint = 1",
    "ConvolutionParameter": f"""num_output uint; bias_term bool = true; pad uint*; kernel_size uint*; stride uint*; dilation uint*;
        group uint = 1; weight_filler FillerParameter; bias_filler FillerParameter; axis int = 1; force_nd_im2col bool; {_WINDOWS}""",
    "CropParameter": "axis int = 2; offset uint*",
    "DropoutParameter": "dropout_ratio float = 0.5; scale_train bool",
    "DummyDataParameter": "data_filler FillerParameter*; shape BlobShape*; num uint*; channels uint*; height uint*; width uint*",
    "ELUParameter": "alpha float = 1",
    "EltwiseParameter": "operation (PROD|SUM|MAX) = SUM; coeff float*; stable_prod_grad bool",
    "ExpParameter": "base float = -1; scale float = 1; shift float = 0",
    "FillerParameter": """type string; value float; min float; max float; mean float; std float; sparse int;
        variance_norm (FAN_IN|FAN_OUT|AVERAGE)""",
    "FlattenParameter": "axis int = 1; end_axis int = -1",
    "InnerProductParameter": """num_output uint; bias_term bool = true; weight_filler FillerParameter; bias_filler FillerParameter;
        axis int = 1; transpose bool = false""",
    "InputParameter": "shape BlobShape*",
    "LRNParameter": f"""local_size uint = 5; alpha float = 1; beta float = 0.75; k float = 1;
        norm_region (ACROSS_CHANNELS|WITHIN_CHANNEL) = ACROSS_CHANNELS; {_ENGINE}""",
    "LogParameter": "base float = -1; scale float = 1; shift float = 0",
    "MVNParameter": "normalize_variance bool = true; across_channels bool = false; eps float = 1e-9",
    "PReLUParameter": "filler FillerParameter; channel_shared bool = false",
    "PermuteParameter": "order uint*",
    "PoolingParameter": f"""pool (MAX|AVE|STOCHASTIC) = MAX; pad uint = 0; kernel_size uint; stride uint = 1; global_pooling bool = false;
        round_mode (CEIL|FLOOR) = CEIL; ceil_mode bool; {_WINDOWS}""",
    "PowerParameter": "power float = 1; scale float = 1; shift float = 0",
    "ReLUParameter": f"negative_slope float = 0; {_ENGINE}",
    "ReductionParameter": "operation (SUM|ASUM|SUMSQ|MEAN) = SUM; axis int = 0; coeff float = 1",
    "ReshapeParameter": "shape BlobShape; axis int = 0; num_axes int = -1",
    "ScaleParameter": "axis int = 1; num_axes int = 1; filler FillerParameter; bias_term bool = false; bias_filler FillerParameter",
    "ShuffleChannelParameter": "group uint = 1",
    "SigmoidParameter": _ENGINE,
    "SliceParameter": "axis int = 1; slice_point uint*; slice_dim uint = 1",
    "SoftmaxParameter": f"axis int = 1; {_ENGINE}",
    "SwishParameter": "beta float = 1",
    "TanHParameter": _ENGINE,
    "ThresholdParameter": "threshold float = 0",
    "TileParameter": "axis int = 1; tiles int",
}

MESSAGES: Mapping[str, Mapping[str, FieldType]] = {name: fields(text) for name, text in {**_NET, **_LAYERS, **_PARAMETERS}.items()}
"""Message name -> its fields."""

DATA: Mapping[str, Mapping[str, FieldType]] = {
    "DataParameter": fields("batch_size uint; crop_size uint; force_encoded_color bool"),
    "ImageDataParameter": fields("batch_size uint; crop_size uint; new_height uint = 0; new_width uint = 0; is_color bool = true"),
    "MemoryDataParameter": fields("batch_size uint; channels uint; height uint; width uint"),
    "TransformationParameter": fields("crop_size uint = 0; force_color bool; force_gray bool; mean_value float*"),
}
"""Messages of layers that read training data, of which only what says a shape is looked at."""
