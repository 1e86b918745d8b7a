"""Keypoints of pictures and videos: in boxes, searched for, or followed frame by frame."""

from keras_shr.prediction.found import Prediction
from keras_shr.prediction.one_euro import OneEuroFilter
from keras_shr.prediction.predictor import Predictor
from keras_shr.prediction.searching import search
from keras_shr.prediction.tracking import Tracker

__all__ = ["OneEuroFilter", "Prediction", "Predictor", "Tracker", "search"]
