"""Hands that move: from gesture to gesture, wandering and turning a little, frame by frame."""

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from scipy.spatial.transform import Rotation

from keras_shr.rendering.camera import look_at, mirrored, random_view
from keras_shr.rendering.geometry import Hand
from keras_shr.rendering.people import random_person
from keras_shr.rendering.poses import gesture, limit, random_pose
from keras_shr.rendering.scene import RenderedSample, Scene, random_scene, render_hand
from keras_shr.rendering.skeleton import COUNT

COUNTING = ("fist", "point", "two", "three_fingers", "four", "open")
"""The gestures of STB's counting sequences."""


def pose_sequence(rng, frames, cycle=None):
    """Poses `(frames, bones, 3)` that go smoothly from one gesture to the next.

    Args:
        rng: NumPy generator. More frames from an equal generator only add to the end.
        frames: how many, 30 a second.
        cycle: names of gestures to repeat; by default random poses.
    """
    draw_pose, draw_time = rng.spawn(2)

    def following(number):
        if cycle is None:
            return random_pose(draw_pose)
        noise = draw_pose.normal(0, 0.05, (COUNT, 3)) * np.array([1, 0.5, 0.3])
        return limit(gesture(cycle[number % len(cycle)]) + noise)

    poses: list[np.ndarray] = []
    number, current = 1, following(0)
    while len(poses) < frames:
        target, steps = following(number), int(draw_time.integers(16, 32))
        t = np.arange(steps) / steps
        share = t * t * t * (10 + t * (6 * t - 15))  # starts and ends at rest
        poses += list(current + share[:, None, None] * (target - current))
        poses += [target] * int(draw_time.integers(0, 10))
        current, number = target, number + 1
    tremble = wander(rng, frames, COUNT * 3, 0.02, 20, 60).reshape(frames, COUNT, 3)
    return limit(np.array(poses[:frames]) + tremble * np.array([1, 0.5, 0.2]))


def wander(rng, frames, channels, amplitude, shortest=45, longest=160):
    """Smooth random paths `(frames, channels)` about 0: three slow sine waves each.

    Args:
        rng: NumPy generator.
        frames, channels: shape.
        amplitude: root mean square of the path.
        shortest, longest: periods in frames.
    """
    period = rng.uniform(shortest, longest, (3, channels))
    phase = rng.uniform(0, 2 * np.pi, (3, channels))
    size = rng.dirichlet(np.ones(3), channels).T ** 0.5 * amplitude * np.sqrt(2)
    time = np.arange(frames)[:, None, None]
    return (size * np.sin(2 * np.pi * time / period + phase)).sum(axis=1)


@dataclass(frozen=True)
class Performance:
    """One hand's movement: the `Scene`, the `Hand` of each frame and the camera they share."""

    scene: Scene
    hands: tuple
    camera: np.ndarray


def moving_hands(rng, person, frames, view, cycle=None, travel=22.0, turning=0.18):
    """`Hand`s of consecutive frames, the wrist wandering about the origin.

    Args:
        rng: NumPy generator.
        person: the `Person`.
        frames: how many.
        view: `(3, 3)` rotation about which the hand turns.
        cycle: as in `pose_sequence`.
        travel: root mean square of the wrist's path in mm; turning: of its rotation, radians.
    """
    pose_rng, place_rng = rng.spawn(2)
    poses = pose_sequence(pose_rng, frames, cycle)
    places = wander(place_rng, frames, 3, travel)
    turns = Rotation.from_rotvec(wander(place_rng, frames, 3, turning)).as_matrix()
    return [
        Hand(person, pose, turn @ view, place)
        for pose, turn, place in zip(poses, turns, places, strict=True)
    ]


@lru_cache(maxsize=2)
def performance(seed, frames, size) -> Performance:
    """Everything that the frames of `render_motion` share; depends on its arguments only."""
    rngs = np.random.default_rng([seed, 0x4D4F56]).spawn(4)  # apart from render_sample's streams
    person = random_person(rngs[0])
    scene = random_scene(rngs[1], size, size)
    hands = moving_hands(rngs[2], person, frames, random_view(rngs[3]))
    points = np.concatenate([hand.keypoints() * hand.mirror for hand in hands])
    elbows = np.stack([hand.elbow() * hand.mirror for hand in hands])
    origin, camera = look_at(points, elbows, rngs[3], size, truncated=0.0, widest=1.45)
    if person.side == "right":
        camera = mirrored(camera, size)
    hands = tuple(replace(hand, origin=hand.origin + origin) for hand in hands)
    return Performance(scene, hands, camera)


def motion_frame(seed, frames, size, index) -> RenderedSample:
    """Frame `index` of `render_motion(frames, size, seed)`."""
    show = performance(seed, frames, size)
    return render_hand(show.scene, show.hands[index], show.camera)
