"""The `.caffemodel`: protobuf's wire format, read where it lies."""
