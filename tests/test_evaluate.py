"""What `kgan evaluate` says where a run cannot be measured."""

from PIL import Image
from written import write_run


def test_a_folder_that_has_lost_its_labels_gets_a_sentence(kgan_command, tmp_path):
    for name in ("dark/1.png", "dark/2.png", "light/1.png", "light/2.png"):
        (tmp_path / "images" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (16, 16)).save(tmp_path / "images" / name)
    small = {"image_size": 16, "filters": 2, "depth": 1, "latent_dim": 4, "batch_size": 2, "conditional": True}
    write_run(tmp_path / "run", "dcgan-folder", {**small, "data": str(tmp_path / "images")}, classes=["dark", "light"])
    Image.new("RGB", (16, 16)).save(tmp_path / "images" / "new.png")  # now its folders are no classes
    result = kgan_command("evaluate", "run", "--count", 2)
    assert result.exit_code == 2, result.output
    assert result.stderr.splitlines()[-1].startswith("kgan: run draws classes, but ")
    assert "has no labels now: put each class into a folder" in result.stderr
