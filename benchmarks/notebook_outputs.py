"""Runs notebooks/quick_start.ipynb and stores its pictures in it, for those who read it on GitHub.

    python -m benchmarks.notebook_outputs

Needs the extra `notebooks`. Pictures become JPEGs of moderate width; what only a running notebook
shows (the slider) and what is printed as a warning is left out.
"""

import argparse
import base64
import io
import json
import os
import tempfile
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
WIDEST, QUALITY = 640, 82


def stored(output):
    """The output as it is kept, or None."""
    if output["output_type"] == "stream":
        return dict(output) if output["name"] == "stdout" else None
    data = output.get("data", {})
    if output["output_type"] == "error" or "application/vnd.jupyter.widget-view+json" in data:
        return None
    if "image/png" not in data:
        return None
    picture = Image.open(io.BytesIO(base64.b64decode(data["image/png"]))).convert("RGB")
    picture.thumbnail((WIDEST, WIDEST), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=QUALITY)
    image = base64.b64encode(file.getvalue()).decode()
    return {"output_type": "display_data", "data": {"image/jpeg": image}, "metadata": {}}


def main():
    import nbclient
    import nbformat

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--notebook", type=Path, default=ROOT / "notebooks/quick_start.ipynb")
    path = parser.parse_args().notebook
    os.environ["PYTHONPATH"] = str(ROOT)
    book = nbformat.read(path, as_version=4)
    with tempfile.TemporaryDirectory() as folder:
        options = {"timeout": 900, "kernel_name": "python3"}
        nbclient.NotebookClient(book, resources={"metadata": {"path": folder}}, **options).execute()
    ran = iter(book.cells)
    content = json.loads(path.read_text(encoding="utf-8"))
    for cell in content["cells"]:
        outputs = [stored(output) for output in next(ran).get("outputs", ())]
        if cell["cell_type"] == "code":
            cell["outputs"] = [output for output in outputs if output]
    text = json.dumps(content, indent=1, ensure_ascii=False) + "\n"
    path.write_text(text, encoding="utf-8")
    print(f"{path}: {len(text) / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
