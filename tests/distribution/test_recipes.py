"""The launch recipes of docs/distributed.md, with stand-ins for the cluster's programs."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "distributed.md"
ASKED = "fit config.py --output /shared/runs/hand --strategy multiworker"

pytestmark = pytest.mark.skipif(shutil.which("bash") is None, reason="the recipes are for bash")


def recipe(language):
    """The code of the only block in a language that the document has."""
    (block,) = re.findall(rf"```{language}\n(.*?)```", DOCUMENT.read_text("utf-8"), re.DOTALL)
    return block


@pytest.fixture
def run(tmp_path):
    """Runs a script where `programs` stand in for others; gives what `keras-shr` was told."""

    def run(script, programs, **variables):
        told = tmp_path / "told"
        told.mkdir()
        note = f'#!/bin/bash\nprintf "%s\\n%s" "$*" "$TF_CONFIG" > {told}/$$\n'
        for name, text in {"keras-shr": note, **programs}.items():
            path = tmp_path / name
            path.write_text(text)
            path.chmod(0o755)
        environment = os.environ | variables
        environment["PATH"] = f"{tmp_path}{os.pathsep}{environment['PATH']}"
        subprocess.run(["bash", "-c", script], env=environment, check=True, timeout=60)
        found = []
        for path in told.iterdir():
            words, config = path.read_text().split("\n", 1)
            assert words == ASKED
            found.append(json.loads(config))
        return sorted(found, key=lambda config: config["task"]["index"])

    return run


def test_slurm(run):
    programs = {
        "scontrol": '#!/bin/bash\n[ "$3" = "node[1-2]" ] && echo node1 && echo node2\n',
        # One process for each task, and its number.
        "srun": '#!/bin/bash\nshift\nfor i in 0 1; do SLURM_PROCID=$i "$@" || exit 1; done\n',
    }
    found = run(recipe("bash"), programs, SLURM_JOB_NODELIST="node[1-2]")
    workers = {"worker": ["node1:2222", "node2:2222"]}
    assert found == [{"cluster": workers, "task": {"type": "worker", "index": i}} for i in (0, 1)]


def test_slurm_tries_again(run, tmp_path):
    """A worker that lost another one starts again within its task."""
    fails_once = (
        f"#!/bin/bash\n[ -e {tmp_path}/failed ] || {{ touch {tmp_path}/failed; exit 1; }}\n"
        f'printf "%s\\n%s" "$*" "$TF_CONFIG" > {tmp_path}/told/$$\n'
    )
    programs = {
        "keras-shr": fails_once,
        "scontrol": "#!/bin/bash\necho node1\n",
        "srun": '#!/bin/bash\nshift\nSLURM_PROCID=0 "$@"\n',
    }
    assert len(run(recipe("bash"), programs, SLURM_JOB_NODELIST="node1")) == 1


def test_kubernetes(run):
    yaml = pytest.importorskip("yaml")
    service, job = yaml.safe_load_all(recipe("yaml"))
    pods = job["spec"]["template"]["spec"]
    (container,) = pods["containers"]
    (script,) = container["args"]
    assert container["command"] == ["bash", "-c"]
    (found,) = run(script, {}, JOB_COMPLETION_INDEX="1")
    assert found["task"] == {"type": "worker", "index": 1}
    # Pods are called JOB-INDEX, and the Service of their subdomain gives them that name.
    name, place = job["metadata"]["name"], service["metadata"]["name"]
    count = job["spec"]["completions"]
    assert found["cluster"]["worker"] == [f"{name}-{i}.{place}:2222" for i in range(count)]
    assert pods["subdomain"] == place
    assert service["spec"]["selector"] == {"job-name": name}
    assert job["spec"]["parallelism"] == count
    mounted = {mount["name"] for mount in container["volumeMounts"]}
    assert mounted == {volume["name"] for volume in pods["volumes"]}
