"""Learning, in plain PyTorch: arrays in, dataclasses out; knows nothing of Django, tenants or the clock.

Reading order: examples, recipes, backbones, pyramid, heads, detector, boxes, anchors, assignment, losses, augmentation,
features, windows, checkpoints, train, graph, nodes, sessions, predictions, metrics, bootstrap, folds, artifacts,
few_shot, evaluate, parity, exports, progress, runs: the last says how all of it makes a run.

Kinds that judge a whole image, in the same way: image_recipes, image_graphs, image_sessions, image_features, subspaces,
classification, anomaly, image_models, image_metrics, image_tasks, image_exports, image_runs.
"""
