"""How long the whole run of each recipe takes, as `kgan plan` measured it with nothing else running.

`benchmarks/recipes.py` prints these lines. `kgan plan NAME` predicts the time on your machine. The modern recipes were
measured on a slower machine, in one run with the plain recipes that they change; the times of the plain recipes scale
them.
"""

MACHINE = "2 CPU cores with AVX512-BF16, which multiply matrices at 440 GFLOP/s in float32"
SECONDS = {
    "modern-digits": 45,  # 0.89 times as long as dcgan-digits
    "modern-mnist": 445,  # 0.28 times as long as dcgan-mnist
    "modern-folder": 514,  # a third of dcgan-folder
    "dcgan-digits": 50,  # 56 steps an epoch of 19.7 ms in float32
    "gan-digits": 17,  # 56 steps an epoch of 2.37 ms in float32
    "codegan-digits": 32,  # 56 steps an epoch of 11.5 ms in float32
    "dcgan-folder": 1_540,  # 31 steps an epoch of 219 ms in float32
    "gan-mnist": 166,  # 468 steps an epoch of 3.29 ms in float32
    "dcgan-mnist": 1_610,  # 468 steps an epoch of 68.4 ms in float32
    "dcgan-mnist-upsampling": 1_270,  # 468 steps an epoch of 107 ms in float32
    "dcgan-flowers": 1_330,  # 127 steps an epoch of 249 ms in float32
    "dcgan-cats": 2_480,  # 156 steps an epoch of 256 ms in float32
    "dcgan-cifar10": 2_300_000,  # 390 steps an epoch of 5,880 ms in float32
    "dcgan-cifar10-small": 2_290,  # 390 steps an epoch of 234 ms in bfloat16
    "dcgan-stl10": 242_000,  # 39 steps an epoch of 6,070 ms in float32
    "dcgan-stl10-small": 2_440,  # 39 steps an epoch of 237 ms in bfloat16
    "codegan-mnist": 267,  # 100 steps an epoch of 81.9 ms in float32
}
