"""The hand's skin as triangles, and triangles as pixels."""

import numpy as np

from keras_shr.rendering.anatomy import ARM_START, distance
from keras_shr.rendering.mesh import hand_mesh, surface_nets
from keras_shr.rendering.raster import project, rasterize

CAMERA = np.array([[100.0, 0, 20], [0, 100, 16], [0, 0, 1]])


def test_surface_nets_find_a_sphere():
    axis = np.linspace(-1.5, 1.5, 25)
    grid = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1)
    step = axis[1] - axis[0]
    vertices, quads = surface_nets(np.linalg.norm(grid, axis=-1) - 1, np.full(3, -1.5), step)
    np.testing.assert_allclose(np.linalg.norm(vertices, axis=1), 1, atol=0.02)
    a, b, c, d = (vertices[quads[:, i]] for i in range(4))
    volume = (
        np.einsum("ij,ij->i", a, np.cross(b, c)) + np.einsum("ij,ij->i", a, np.cross(c, d))
    ).sum() / 6
    assert abs(volume - 4 / 3 * np.pi) < 0.1  # positive: the outside is seen anticlockwise


def test_the_mesh_lies_on_the_flesh_and_is_closed_but_for_the_arm():
    mesh = hand_mesh()
    hand = mesh.vertices[:, 1] > ARM_START + 1
    assert np.abs(distance(mesh.vertices[hand].astype(float))).max() < 0.6
    edges = np.sort(
        np.concatenate(
            [mesh.triangles[:, [0, 1]], mesh.triangles[:, [1, 2]], mesh.triangles[:, [2, 0]]]
        )
    )
    unique, count = np.unique(edges, axis=0, return_counts=True)
    open_edges = unique[count == 1]
    assert mesh.vertices[open_edges.ravel(), 1].max() < -400
    assert 5000 < len(mesh.vertices) < 20000


def test_a_triangle_covers_the_pixels_inside_it_and_no_others():
    # corners at pixels (10, 10), (20, 10), (10, 20), 2 m away; clockwise in the image
    corners = np.array([[10, 10], [20, 10], [10, 20]])
    points = np.c_[(corners - CAMERA[:2, 2]) / 100 * 2.0, np.full(3, 2.0)]
    seen = rasterize(points, np.array([[0, 2, 1]]), CAMERA, 32, 40)
    row, column = np.divmod(seen.pixels, 40)
    assert set(zip(column, row, strict=True)) == {
        (x, y) for x in range(10, 21) for y in range(10, 21) if x + y <= 30
    }
    np.testing.assert_allclose(seen.depth, 2, rtol=1e-5)
    assert len(rasterize(points, np.array([[0, 1, 2]]), CAMERA, 32, 40).pixels) == 0  # its back


def test_the_nearer_triangle_wins_whatever_the_order():
    near = np.array([[-0.1, -0.1, 1.0], [0.3, -0.1, 1.0], [-0.1, 0.3, 1.0]])
    points = np.concatenate([near, near * 1.5])
    for triangles in ([[0, 2, 1], [3, 5, 4]], [[3, 5, 4], [0, 2, 1]]):
        seen = rasterize(points, np.array(triangles), CAMERA, 32, 40)
        np.testing.assert_allclose(seen.depth, 1, rtol=1e-5)


def test_interpolation_is_perspective_correct():
    # a plane that recedes to the right; its x in space is known at every pixel
    points = np.array([[-1.0, -0.5, 1.0], [1.0, -0.5, 4.0], [-1.0, 0.5, 1.0], [1.0, 0.5, 4.0]])
    triangles = np.array([[0, 2, 1], [1, 2, 3]])
    seen = rasterize(points, triangles, CAMERA, 32, 40)
    place = seen.interpolate(triangles, points.astype(np.float32))
    np.testing.assert_allclose(project(place, CAMERA)[:, 0], seen.pixels % 40, atol=2e-3)
    np.testing.assert_allclose(place[:, 2], seen.depth, rtol=1e-4)
    # two triangles that share an edge leave no hole on it
    row, column = np.divmod(seen.pixels, 40)
    for y in np.unique(row):
        columns = np.sort(column[row == y])
        assert (np.diff(columns) == 1).all()


def test_what_lies_outside_the_picture_or_behind_the_camera_is_left_out():
    behind = np.array([[0, 0, -1.0], [1, 0, -1], [0, 1, -1]])
    aside = np.array([[9, 0, 1.0], [10, 0, 1], [9, 1, 1]])
    for points in (behind, aside):
        assert len(rasterize(points, np.array([[0, 2, 1]]), CAMERA, 32, 40).pixels) == 0
