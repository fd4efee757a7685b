"""`fitmonitor attendance`: the archive of attendance, and the forecast."""

import typer

from cluster.cli.attendance_archive import add_archive_commands
from cluster.cli.attendance_forecast import backtest_command, forecast_command

app = typer.Typer(
    no_args_is_help=True,
    help="Attendance: forecast how full gyms will be, fill the archive from the database and verify it.",
)
app.command(name="forecast")(forecast_command)
app.command(name="backtest")(backtest_command)
add_archive_commands(app)
