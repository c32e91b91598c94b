"""Scalar expressions: what an elementwise layer computes, written once and interpreted everywhere."""
