"""Kernel templates for llvm targets: each builds a scheduled S-TIR PrimFunc from a geometry and an epilogue.

They know nothing of the IR. Tensors of rank 4 are blocked (`blocked`), every other rank is plain row-major, all is
float32. Arguments go: data, weight (if any), extras of the stages in order, output.
"""
