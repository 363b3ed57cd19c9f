"""What the emulated sensors are set to is what the server gets, through the drivers of real ones."""

import pytest


@pytest.mark.lg_feature("emulated-sensors")
@pytest.mark.parametrize(("sensor", "value"), [
    ("Temperature", 31.5), ("Temperature", -12.34), ("Humidity", 55.25), ("Motion", 1), ("Motion", 0)])
def test_a_value_that_is_set_arrives_at_the_server(device, server, sensor, value):
    device.check(f"/usr/lib/microkernel/emulated-sensors set {sensor.lower()} {value}")

    def newest():
        return server.fleet.readings(device.id, sensor, limit=1)[-1]["value"]

    device.until(lambda: newest() == value, 60, lambda: f"{sensor} is {newest()}, not {value}")
