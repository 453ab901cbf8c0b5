"""Run an exported model anywhere: `python predict_onnx.py model.onnx photograph.jpg`, with onnxruntime and Pillow."""

import json
import sys

import numpy as np
import onnxruntime
from PIL import Image, ImageOps

session = onnxruntime.InferenceSession(sys.argv[1])
names = json.loads(session.get_modelmeta().custom_metadata_map["classes"])
image = np.asarray(ImageOps.exif_transpose(Image.open(sys.argv[2])).convert("RGB"))
for box, score, index in zip(*session.run(["boxes", "scores", "classes"], {"image": image}), strict=True):
    if score >= 0.3:
        left, top, right, bottom = (round(float(side)) for side in box)  # pixels
        print(f"{names[index]} {score:.2f} from ({left}, {top}) to ({right}, {bottom})")
