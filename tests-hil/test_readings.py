"""Readings travel from the device's sensors to the database and the pages."""

import time

import pytest

SENSORS = ["Temperature", "Humidity", "Motion"]


@pytest.mark.fast
@pytest.mark.parametrize("sensor", SENSORS)
def test_readings_of_a_sensor_arrive_in_postgres(device, server, sensor):
    rows = device.until(
        lambda: server.sql(
            "SELECT count(*), extract(epoch FROM max(ts)) FROM telemetry JOIN sensors ON sensors.key = sensor_key "
            f"WHERE name = '{sensor}' AND ts > now() - interval '1 minute' HAVING count(*) > 0"),
        180, f"no reading of {sensor} in the database")
    assert abs(time.time() - float(rows[0][1])) < 60, "the device's clock is not the server's"
    shown = {known["name"]: known for known in server.fleet.device(device.id)["sensors"]}
    assert shown[sensor]["latest"] is not None
    assert server.fleet.readings(device.id, sensor)
    assert sensor in server.fleet.page(f"/devices/{device.id}")


def test_no_reading_is_missing_or_doubled(device, server):
    ledger = server.fleet.device(device.id)["ledger"]
    assert ledger and all(entry["missing"] == 0 for entry in ledger), ledger
