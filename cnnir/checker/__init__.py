"""An independent checker of certificates: it shares with the rewriter what ops declare of themselves, and nothing else.

Nothing here imports `cnnir.passes`, `cnnir.facts` or `cnnir.analysis`; `tests/test_layering.py` holds it to that.
"""
