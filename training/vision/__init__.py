"""Learning, in plain PyTorch: arrays in, dataclasses out; knows nothing of Django, tenants or the clock.

Reading order: examples, recipes, backbones, pyramid, heads, detector, boxes, anchors, assignment, losses, augmentation,
features, windows, checkpoints, train, graph, nodes, sessions, predictions, metrics, bootstrap, folds, artifacts,
few_shot, evaluate, parity, exports, progress, runs: the last says how all of it makes a run.
"""
