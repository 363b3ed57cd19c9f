"""The sensor service's program on an emulated Raspberry Pi 3 reads an emulated chip on its I2C controller.

Needs neither labgrid nor the other fixtures here: pytest --noconftest tests-hil/test_raspi3b.py
"""

import pytest

from raspi3b.pi import Pi, build


@pytest.fixture(scope="module")
def pi(tmp_path_factory):
    artifacts = build()
    with open(artifacts / "console.log", "w", encoding="utf-8") as log:
        pi = Pi(artifacts, tmp_path_factory.mktemp("raspi3b"), log)
        try:
            print(f"measured: raspi3b: power-on to the first reading possible: {pi.boot():.0f} s")
            yield pi
        finally:
            pi.power_off()


@pytest.mark.parametrize("celsius", [25.5, -10.25, 127.0])
def test_a_tmp105_is_read_over_i2c(pi, celsius):
    pi.set_temperature(celsius)
    assert pi.read_once() == (0, f"Temperature: {celsius:g} °C")
