"""The command tree. The help texts document it for operators."""

import typer

from orchestration.cli import data, demo, lake, lifecycle, mail, models, sql

app = typer.Typer(
    name="souk",
    help=(
        "Run Souk, a marketplace with its analytics, features and recommenders, on this machine.\n\nEverything it makes"
        " is in one state directory: SOUK_HOME, or .souk in the checkout. [bold]souk up[/] starts it, [bold]souk"
        " status[/] shows it, [bold]souk down[/] stops it; [bold]souk demo[/] is all of it.\n\nResults go to stdout,"
        " progress and problems to stderr. Exit status: 0 done, 1 a problem, said in words, 2 a wrong option or value,"
        " 130 ctrl-c. The environment names what is not embedded (DATABASE_URL, REDIS_URL, MLFLOW_TRACKING_URI) and"
        " what to start (SOUK_SERVICES); [bold]souk doctor[/] says what this machine lacks."
    ),
    rich_markup_mode="rich",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command(rich_help_panel="Processes")(lifecycle.up)
app.command(rich_help_panel="Processes")(lifecycle.down)
app.command(rich_help_panel="Processes")(lifecycle.status)
app.command(rich_help_panel="Processes")(lifecycle.logs)
app.command(rich_help_panel="Processes")(lifecycle.doctor)
app.command(rich_help_panel="Data")(demo.demo)
app.command(rich_help_panel="Data", context_settings=models.PASS_ON)(data.load)
app.command(rich_help_panel="Data", context_settings=models.PASS_ON)(data.rates)
app.command(rich_help_panel="Data")(data.pipeline)
app.command(rich_help_panel="Data")(data.verify)
app.command(rich_help_panel="Data", name="sql", help=sql.sql_help())(sql.sql)
app.add_typer(lake.commands, name="lake", rich_help_panel="Data")
app.add_typer(mail.commands, name="mail", rich_help_panel="Data")
app.add_typer(models.evaluate, name="evaluate", rich_help_panel="Measurements")
app.command(rich_help_panel="Measurements", context_settings=models.PASS_ON)(models.bench)
