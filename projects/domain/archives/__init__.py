"""Zip archives of labelled images: COCO, Pascal VOC and YOLO. What reads them knows no Django: it runs in a child."""
