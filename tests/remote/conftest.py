"""An S3 server, its environment, and workers that share it."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from distributed import LocalCluster

from autodip_zarr.cli import main
from autodip_zarr.stores.access.remote.retry import ATTEMPTS_VARIABLE, TIMEOUT_VARIABLE

from ..run.results import Run
from .servers import BUCKET, KEY, SECRET, Proxy, proxy_of, s3_server


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    """A bucket on a real S3 server behind a proxy, named and unlocked by the environment alone."""
    said = {
        "AWS_ACCESS_KEY_ID": KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_DEFAULT_REGION": "us-east-1",
        ATTEMPTS_VARIABLE: "3",
        TIMEOUT_VARIABLE: "1",
    }
    with s3_server(tmp_path_factory.mktemp("s3")) as address, proxy_of(address) as proxy:
        said["AWS_ENDPOINT_URL"] = proxy.address
        before = {name: os.environ.get(name) for name in said}
        os.environ.update(said)
        import s3fs

        s3fs.S3FileSystem().mkdir(BUCKET)
        yield proxy
        for name, value in before.items():
            os.environ.pop(name)
            if value is not None:
                os.environ[name] = value


@pytest.fixture
def bucket(s3: Proxy) -> Iterator[str]:
    """URI of an empty folder of the bucket."""
    s3.clear()
    yield f"s3://{BUCKET}/{uuid.uuid4().hex[:8]}"
    s3.clear()


@pytest.fixture(scope="session")
def workers(s3: Proxy) -> Iterator[str]:  # noqa: ARG001 - its environment must be there first
    """Address of a real Dask cluster whose two worker processes know the S3 server."""
    with LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0") as cluster:
        yield cluster.scheduler_address


@pytest.fixture
def run(quick_table: str, workers: str) -> Run:
    """Run ``denoise`` on workers that know the S3 server, with networks that fit in milliseconds."""

    def invoke(*arguments: object) -> Result:
        fixed = ["--table", quick_table, "--scheduler", workers, "--json"]
        return CliRunner().invoke(main, ["denoise", *map(str, arguments), *fixed], catch_exceptions=False)

    return invoke


def upload(folder: Path, uri: str) -> None:
    """Copy all files of a folder into a bucket."""
    import s3fs

    fs = s3fs.S3FileSystem(skip_instance_cache=True)
    for file in sorted(folder.rglob("*")):
        if file.is_file():
            fs.pipe_file(f"{uri}/{file.relative_to(folder)}", file.read_bytes())


def download(uri: str) -> dict[str, bytes]:
    """Return everything below a URI of a bucket."""
    import s3fs

    fs = s3fs.S3FileSystem(skip_instance_cache=True)
    prefix = uri.removeprefix("s3://") + "/"
    return {name.removeprefix(prefix): fs.cat_file(name) for name in fs.find(uri)}
