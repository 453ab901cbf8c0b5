"""Learning, in plain PyTorch: arrays in, dataclasses out; knows nothing of Django, tenants or the clock.

Reading order: examples, recipes, backbones, pyramid, heads, detector, boxes, anchors, assignment, losses, augmentation,
features, train, graph, metrics, bootstrap, folds, evaluate, artifacts, few_shot.
"""
