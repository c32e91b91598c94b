"""What the fields of Caffe's messages are, as data (`caffe.proto`, BVLC master, trimmed to what networks say)."""
