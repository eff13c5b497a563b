"""The record beyond memory, at a size that memory has: it is killed, goes on, and gives the right numbers."""

import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.distance import pdist, squareform

ROOT = Path(__file__).parent.parent
pytest.importorskip("zarr")
pytestmark = [
    pytest.mark.skipif(not (ROOT / "benchmarks").is_dir(), reason="benchmarks/ is not beside the tests"),
    pytest.mark.skipif(sys.platform != "linux", reason="Linux says what memory is anonymous"),
    pytest.mark.slow,
]


def test_a_run_is_killed_and_goes_on(tmp_path, monkeypatch):
    import vech

    monkeypatch.setenv("PYTHONPATH", str(Path(vech.__file__).parent.parent))
    monkeypatch.syspath_prepend(str(ROOT))
    from benchmarks import beyond_memory as record

    n, said = 2000, []
    stages = record.record(n, tmp_path)
    for stage in stages:
        said.append(stage.name)
        assert stage.seconds > 0 and 1e6 < stage.anonymous < 3e9
        if stage.name == record.KILLED:
            left = vech.tiled.open(tmp_path / record.DISTANCES).missing()
            assert 0 < len(left) < 6
        if stage.name == "nearest":
            full = squareform(pdist(np.load(tmp_path / record.DATA).astype(float)))
            np.testing.assert_allclose(
                vech.read(tmp_path / record.DISTANCES).expand(), full, rtol=1e-4, atol=1e-3
            )
            near = np.sort(full + np.diag(np.full(n, np.inf)), axis=1)[:, : record.NEIGHBOURS]
            with np.load(tmp_path / record.NEAREST) as found:
                np.testing.assert_allclose(found["values"], near, rtol=1e-4)
    assert said == list(record.STAGES)
    values = np.linalg.eigvalsh(np.exp(-record.GAMMA * full**2))[-record.EIGENPAIRS :]
    with np.load(tmp_path / record.TOP) as found:
        np.testing.assert_allclose(found["values"], values, rtol=1e-3)
