"""Generator of ``server/analysis/torch_model/optable.json``: what each torch operation does to gradients.

A development tool: it needs torch, pyyaml (torch's own code generator reads its YAML with it), numpy and expecttest.
Run ``python -m tools.optable`` to write the table, ``--check`` to learn whether the shipped one is stale.
"""
