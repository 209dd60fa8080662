// The command line: the one place that knows the argument library. Each command's --help ends with an example.
#include "agent/cli/commands.hpp"
#include "agent/cli/sql.hpp"
#include "agent/config_units.hpp"

#include <CLI/CLI.hpp>

#include <functional>
#include <iostream>
#include <memory>

namespace sluice::agent {

namespace {

using Run = std::function<int()>;

/// A command with an example, that sets `run` when it is the one.
CLI::App* add_command(CLI::App& parent, const char* name, const char* what, const char* example) {
    auto* command = parent.add_subcommand(name, what);
    command->footer(std::string("Example:\n  ") + example);
    return command;
}

void add_config_options(CLI::App* command, ConfigArguments& config) {
    command->add_option("-c,--config", config.file, "the configuration file; conf.d/*.toml beside it is read too")
        ->type_name("FILE")
        ->required();
    command->add_option("--data-dir", config.overrides.data_dir, "where the log is, over agent.data_dir")
        ->type_name("DIR");
    command->add_option("--id", config.overrides.id, "who this agent is, over agent.id")->type_name("ID");
    command->add_option("--set", config.overrides.sets, "any key, over the files: --set agent.log_level=debug")
        ->type_name("KEY=VALUE")
        ->expected(1)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
}

void add_log_options(CLI::App* command, LogArguments& log) {
    command->add_option("-c,--config", log.config_file, "take agent.data_dir from this configuration file")
        ->type_name("FILE");
    command->add_option("--data-dir", log.data_dir, "the agent's data directory [/var/lib/sluice]")->type_name("DIR");
}

void add_run(CLI::App& app, Run& run) {
    auto arguments = std::make_shared<RunArguments>();
    auto* command =
        add_command(app, "run", "Run the agent, until SIGTERM or Ctrl-C", "sluice run -c /etc/sluice/sluice.toml");
    add_config_options(command, arguments->config);
    command->callback([&run, arguments] { run = [arguments] { return run_command(*arguments); }; });
}

void add_check(CLI::App& app, Run& run) {
    auto arguments = std::make_shared<ConfigArguments>();
    auto* command = add_command(app, "check", "Validate a configuration, and print what would run with it",
                                "sluice check -c /etc/sluice/sluice.toml --set kafka.brokers=localhost:9092");
    add_config_options(command, *arguments);
    command->callback([&run, arguments] { run = [arguments] { return check_command(*arguments); }; });
}

void add_demo(CLI::App& app, Run& run) {
    auto arguments = std::make_shared<DemoArguments>();
    auto* command = add_command(app, "demo", "See it work: simulated devices, the agent, a cluster that goes away",
                                "sluice demo --seconds 60");
    auto* seconds = command->add_option_function<int>(
        "--seconds", [arguments](int value) { arguments->duration = std::chrono::seconds(value); },
        "how long the devices publish [30]");
    seconds->check(CLI::Range(3, 86400))->type_name("N");
    command->add_option("--rate", arguments->messages_per_second, "messages per second of all devices [500]")
        ->check(CLI::Range(1, 1'000'000))
        ->type_name("N");
    command
        ->add_option("--kafka-command", arguments->kafka_command,
                     "starts a Kafka broker (run with --dir DIR --port PORT) instead of the built-in mock cluster")
        ->type_name("COMMAND");
    command->add_flag("--open", arguments->open, "shows the agent's page in a browser, and stays until Ctrl-C");
    command->callback([&run, arguments] { run = [arguments] { return demo_command(*arguments); }; });
}

void add_bench(CLI::App& app, Run& run) {
    auto arguments = std::make_shared<BenchArguments>();
    auto* command = add_command(app, "bench", "Measure this box", "sluice bench --flash --dir /var/lib/sluice");
    command
        ->add_flag("--flash", arguments->flash,
                   "bytes written to the device for each byte of payload, by rate and commit interval")
        ->required();
    command->add_option("--dir", arguments->directory, "a directory on the disk to measure [.]")->type_name("DIR");
    command->add_option("--seconds", arguments->seconds, "for each of the 12 combinations [5]")
        ->check(CLI::Range(1, 3600))
        ->type_name("N");
    command->add_flag("--json", arguments->json, "one JSON object a line");
    command->callback([&run, arguments] { run = [arguments] { return bench_command(*arguments); }; });
}

void add_status(CLI::App& app, Run& run) {
    auto arguments = std::make_shared<StatusArguments>();
    auto* command = add_command(app, "status", "What a running agent is doing", "sluice status --watch");
    add_log_options(command, arguments->log);
    auto* json = command->add_flag("--json", arguments->json, "as JSON (docs/admin.md)");
    command->add_flag("--watch", arguments->watch, "again every two seconds, until Ctrl-C")->excludes(json);
    command->callback([&run, arguments] { run = [arguments] { return status_command(*arguments); }; });
}

void add_devices(CLI::App& app, Run& run) {
    auto arguments = std::make_shared<DevicesArguments>();
    auto* command = add_command(app, "devices", "Who sends to a running agent, the longest silent first",
                                "sluice devices --silent 300");
    add_log_options(command, arguments->log);
    command->add_option("--stream", arguments->stream, "only of this stream")->type_name("STREAM");
    command->add_option("--silent", arguments->silent_seconds, "only those that are silent for so long")
        ->check(CLI::NonNegativeNumber)
        ->type_name("SECONDS");
    command->add_flag("--json", arguments->json, "one JSON object a line (docs/admin.md)");
    command->callback([&run, arguments] { run = [arguments] { return devices_command(*arguments); }; });
}

void add_reload(CLI::App& app, Run& run) {
    auto arguments = std::make_shared<LogArguments>();
    auto* command = add_command(app, "reload", "Have a running agent read its configuration again",
                                "sluice reload --data-dir /var/lib/sluice");
    add_log_options(command, *arguments);
    command->callback([&run, arguments] { run = [arguments] { return reload_command(*arguments); }; });
}

void add_uplink(CLI::App& app, Run& run) {
    auto* uplink =
        add_command(app, "uplink", "Pause what a running agent sends to Kafka, and go on", "sluice uplink pause");
    uplink->require_subcommand(1);
    const auto add = [&](const char* name, const char* what, const char* example, bool open) {
        auto arguments = std::make_shared<LogArguments>();
        auto* command = add_command(*uplink, name, what, example);
        add_log_options(command, *arguments);
        command->callback(
            [&run, arguments, open] { run = [arguments, open] { return uplink_command(*arguments, open); }; });
    };
    add("pause", "Send nothing until resume, over restarts too; everything is kept", "sluice uplink pause", false);
    add("resume", "End the pause", "sluice uplink resume", true);
}

void add_log_ls(CLI::App& log, Run& run) {
    auto arguments = std::make_shared<LogLsArguments>();
    auto* command =
        add_command(log, "ls", "List the streams: offsets, size, cursors", "sluice log ls --data-dir /var/lib/sluice");
    add_log_options(command, arguments->log);
    command->add_flag("--json", arguments->json, "one JSON object a line");
    command->callback([&run, arguments] { run = [arguments] { return log_ls_command(*arguments); }; });
}

void add_log_cat(CLI::App& log, Run& run) {
    auto arguments = std::make_shared<LogCatArguments>();
    auto* command = add_command(log, "cat", "Print the records of a stream",
                                "sluice log cat telemetry --from 1000 --limit 10 --json");
    command->add_option("stream", arguments->stream, "the stream's name")->type_name("STREAM")->required();
    add_log_options(command, arguments->log);
    command
        ->add_option("--from", arguments->from,
                     "from this offset, or from this time (2026-01-31T23:59:00Z, or 2026-01-31)")
        ->type_name("OFFSET|TIME");
    command->add_option("--to", arguments->to, "up to this offset, or this time")->type_name("OFFSET|TIME");
    command->add_option("--key", arguments->key, "only records with this key")->type_name("KEY");
    command->add_option("--limit", arguments->limit, "at most so many records")->type_name("N");
    command->add_flag("--headers", arguments->headers, "print the headers too (JSON has them always)");
    command->add_flag("--json", arguments->json, "one JSON object a line; what is not UTF-8 is base64");
    command->callback([&run, arguments] { run = [arguments] { return log_cat_command(*arguments); }; });
}

void add_log_verify(CLI::App& log, Run& run) {
    auto arguments = std::make_shared<LogVerifyArguments>();
    auto* command = add_command(log, "verify", "Read every batch and check it; exits 1 where something is wrong",
                                "sluice log verify telemetry --data-dir /var/lib/sluice");
    command->add_option("stream", arguments->stream, "only this stream")->type_name("STREAM");
    add_log_options(command, arguments->log);
    command->add_flag("--repair", arguments->repair,
                      "put right what can be: damaged bytes are set aside, indexes made anew (stop the agent first)");
    command->add_flag("--json", arguments->json,
                      "one JSON object a line: what was found, then a summary of each stream");
    command->callback([&run, arguments] { run = [arguments] { return log_verify_command(*arguments); }; });
}

void add_log_clean(CLI::App& log, Run& run) {
    auto arguments = std::make_shared<LogCleanArguments>();
    auto* command = add_command(
        log, "clean",
        "Delete and compact now what the configuration lets go, in a log at rest: an agent that runs cleans by itself",
        "sluice log clean -c /etc/sluice/sluice.toml");
    command->add_option("stream", arguments->stream, "only this stream")->type_name("STREAM");
    add_config_options(command, arguments->config);
    command->callback([&run, arguments] { run = [arguments] { return log_clean_command(*arguments); }; });
}

void add_sql(CLI::App& app, Run& run) {
    auto arguments = std::make_shared<SqlArguments>();
    auto* command = add_command(app, "sql", "Ask the local log with SQL, read-only, whether an agent runs or not",
                                "sluice sql \"select key, avg(value ->> '$.temperature') from telemetry\n"
                                "    where timestamp > now('-1 hour') group by key\"\n"
                                "  sluice sql            a prompt; on a pipe, statements are read from it");
    command->add_option("query", arguments->query, "SELECT statements; none: a prompt, or standard input")
        ->type_name("QUERY");
    add_log_options(command, arguments->log);
    command
        ->add_option("--format", arguments->format, "table, csv, json (an array) or jsonl (an object a line) [table]")
        ->type_name("FORMAT");
    command->callback([&run, arguments] { run = [arguments] { return sql_command(*arguments); }; });
}

void add_why(CLI::App& app, Run& run) {
    auto arguments = std::make_shared<WhyArguments>();
    auto* command = add_command(app, "why", "Tell what became of a record: where in Kafka it is, or why not",
                                "sluice why -c /etc/sluice/sluice.toml --stream telemetry --offset 4711\n"
                                "  sluice why --stream telemetry --key pump-07 --at 2026-01-31T12:00:00Z");
    add_log_options(command, arguments->log);
    command->add_option("--stream", arguments->stream, "the stream's name")->type_name("STREAM")->required();
    command->add_option("--offset", arguments->offset, "its offset in the local log")
        ->check(CLI::NonNegativeNumber)
        ->type_name("N");
    command->add_option("--key", arguments->key, "instead: the record with this key …")->type_name("KEY");
    command->add_option("--at", arguments->at, "… whose timestamp is nearest to this time")->type_name("TIME");
    command->add_flag("--json", arguments->json, "a JSON object; what is not UTF-8 is base64");
    command->callback([&run, arguments] { run = [arguments] { return why_command(*arguments); }; });
}

void add_passwd(CLI::App& app, Run& run) {
    auto arguments = std::make_shared<PasswdArguments>();
    auto* command =
        add_command(app, "passwd", "Add or delete a user of the agent's own MQTT listener, or set a password",
                    "sluice passwd /etc/sluice/users alice");
    command->add_option("file", arguments->file, "the password file; made where it is missing")
        ->type_name("FILE")
        ->required();
    command->add_option("user", arguments->user, "the user's name")->type_name("USER")->required();
    auto* remove = command->add_flag("--delete", arguments->remove, "delete the user");
    command
        ->add_flag("--password-stdin", arguments->password_stdin,
                   "read one line of stdin as the password, instead of asking twice on the terminal")
        ->excludes(remove);
    command->callback([&run, arguments] { run = [arguments] { return passwd_command(*arguments); }; });
}

void add_detect(CLI::App& app, Run& run) {
    auto arguments = std::make_shared<DetectArguments>();
    auto* command =
        add_command(app, "detect", "Score the rows of a CSV file: how strange is each, after those before it",
                    "sluice detect --in pump.csv --value-column vibration --out scores.csv");
    command->add_option("--in", arguments->in, "the CSV file, with a header and its rows in order")->type_name("FILE");
    command
        ->add_option("--value-column", arguments->value_columns,
                     "the column with the values; several times: they are judged together")
        ->type_name("NAME")
        ->expected(1)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    command->add_option("--time-column", arguments->time_column, "the column with the times [timestamp]")
        ->type_name("NAME");
    command->add_option("--out", arguments->out, "written: timestamp and anomaly_score, 0 to 1, a row for each row")
        ->type_name("FILE");
    command->add_option("--method", arguments->method, "extremes for one column, drift for several; --list shows all")
        ->type_name("NAME");
    command->add_flag("--list", arguments->list, "print the methods");
    command->callback([&run, arguments] { run = [arguments] { return detect_command(*arguments); }; });
}

void add_life_train(CLI::App& life, Run& run) {
    auto arguments = std::make_shared<LifeTrainArguments>();
    auto* command = add_command(life, "train", "Learn from units that ran to their failure",
                                "sluice life train --in histories.csv --model pumps.life");
    command->add_option("--in", arguments->in, "CSV: unit, cycle and sensors; a unit's last row is its failure")
        ->type_name("FILE")
        ->required();
    command->add_option("--model", arguments->model, "the model file to write")->type_name("FILE")->required();
    command
        ->add_option("--horizon", arguments->horizon,
                     "cycles before the failure that are learned from; earlier no wear is visible [145]")
        ->check(CLI::Range(10.0, 1e6))
        ->type_name("CYCLES");
    command->callback([&run, arguments] { run = [arguments] { return life_train_command(*arguments); }; });
}

void add_life_predict(CLI::App& life, Run& run) {
    auto arguments = std::make_shared<LifePredictArguments>();
    auto* command = add_command(life, "predict", "Tell how long units will still run",
                                "sluice life predict --model pumps.life --in pumps.csv --out left.csv");
    command->add_option("--model", arguments->model, "a file of `sluice life train`")->type_name("FILE")->required();
    command->add_option("--in", arguments->in, "CSV: unit, cycle and the sensors that were learned")
        ->type_name("FILE")
        ->required();
    command
        ->add_option("--out", arguments->out, "written: unit,rul,rul_low,rul_high, in cycles; the interval covers 90 %")
        ->type_name("FILE")
        ->required();
    command->callback([&run, arguments] { run = [arguments] { return life_predict_command(*arguments); }; });
}

void add_alerts(CLI::App& app, Run& run) {
    auto arguments = std::make_shared<AlertsArguments>();
    auto* command = add_command(app, "alerts", "Tell which alerts fire, whether an agent runs or not",
                                "sluice alerts -c /etc/sluice/sluice.toml");
    add_log_options(command, arguments->log);
    command->add_flag("--all", arguments->all, "instead, the last alerts that began or ended, the newest last");
    command->add_flag("--json", arguments->json, "one JSON object a line, as in the stream alerts");
    command->callback([&run, arguments] { run = [arguments] { return alerts_command(*arguments); }; });
}

void add_rules_list(CLI::App& rules, Run& run) {
    auto arguments = std::make_shared<RulesListArguments>();
    auto* command = add_command(rules, "list", "Print the rules, and the memory that each needs for a device",
                                "sluice rules list -c /etc/sluice/sluice.toml");
    command->add_option("-c,--config", arguments->config_file, "a configuration, or a file with nothing but rules")
        ->type_name("FILE")
        ->required();
    command->add_flag("--json", arguments->json, "one JSON object a line");
    command->callback([&run, arguments] { run = [arguments] { return rules_list_command(*arguments); }; });
}

void add_rules_test(CLI::App& rules, Run& run) {
    auto arguments = std::make_shared<RulesTestArguments>();
    auto* command = add_command(rules, "test", "Show what rules would have said of records that are there already",
                                "sluice rules test -c rules.toml --in january.csv --expect january.expected");
    command->add_option("-c,--config", arguments->config_file, "a configuration, or a file with nothing but rules")
        ->type_name("FILE")
        ->required();
    command->add_option("--rule", arguments->rules, "only this rule; several times: only these")
        ->type_name("NAME")
        ->expected(1)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    command->add_option("--stream", arguments->stream, "the stream, where the rules have several")->type_name("STREAM");
    command->add_option("--data-dir", arguments->data_dir, "the agent's data directory, over agent.data_dir")
        ->type_name("DIR");
    command->add_option("--from", arguments->from, "from this offset of the log")->type_name("OFFSET");
    command->add_option("--to", arguments->to, "up to this offset")->type_name("OFFSET");
    command
        ->add_option("--in", arguments->in,
                     "instead of the log: a .csv with a header, or JSON lines (payloads, or sluice log cat --json)")
        ->type_name("FILE");
    command->add_option("--time-column", arguments->time_column, "of the file [timestamp, ts or time]")
        ->type_name("NAME");
    command->add_option("--device-column", arguments->device_column, "of the file: the record's key [device]")
        ->type_name("NAME");
    command
        ->add_option_function<std::string>(
            "--wait",
            [arguments](const std::string& text) {
                const auto wait = parse_duration(text);
                if (!wait) throw CLI::ValidationError("--wait", text + " is not a duration, such as 10m");
                arguments->wait = *wait;
            },
            "let so much time go on after the last record, to see what its silence would say")
        ->type_name("DURATION");
    command->add_option("--expect", arguments->expect, "exit 1 where it is not what this file says")->type_name("FILE");
    command->add_option("--plot", arguments->plot, "draw curves, limits and firings: an SVG file")->type_name("FILE");
    command->add_flag("--json", arguments->json, "one JSON object a line: alerts as they would be, then sums");
    command->callback([&run, arguments] { run = [arguments] { return rules_test_command(*arguments); }; });
}

/// Prints help or what is wrong with the command line.
int explain(const CLI::App& app, const CLI::Error& error) {
    if (error.get_exit_code() == 0) {
        app.exit(error, std::cout, std::cerr);
        return kExitSuccess;
    }
    std::cerr << "sluice: " << error.what() << " (try --help)\n";
    return kExitUsage;
}

}  // namespace

int run_command_line(int argc, char** argv) {
    CLI::App app("MQTT in, a durable log on the gateway, Kafka out.", "sluice");
    app.footer("Every command has --help with an example.");
    app.set_version_flag("--version", "sluice " SLUICE_VERSION);
    app.require_subcommand(0, 1);
    Run run;
    add_run(app, run);
    add_check(app, run);
    add_status(app, run);
    add_devices(app, run);
    add_alerts(app, run);
    add_reload(app, run);
    add_uplink(app, run);
    add_demo(app, run);
    auto* log = add_command(app, "log", "Look into the local log, whether an agent runs or not",
                            "sluice log ls --data-dir /var/lib/sluice");
    log->require_subcommand(1);
    add_log_ls(*log, run);
    add_log_cat(*log, run);
    add_log_verify(*log, run);
    add_log_clean(*log, run);
    auto* rules = add_command(app, "rules", "Rules: list them, and try them on records that are there already",
                              "sluice rules test -c rules.toml --in january.csv");
    rules->require_subcommand(1);
    add_rules_list(*rules, run);
    add_rules_test(*rules, run);
    add_detect(app, run);
    auto* life = add_command(app, "life", "Remaining useful life: learn it, predict it",
                             "sluice life train --in histories.csv --model pumps.life");
    life->require_subcommand(1);
    add_life_train(*life, run);
    add_life_predict(*life, run);
    add_sql(app, run);
    add_why(app, run);
    add_passwd(app, run);
    add_bench(app, run);
    auto* version = add_command(app, "version", "Print the version", "sluice version");
    version->callback([&run] { run = version_command; });
    try {
        app.parse(argc, argv);
    } catch (const CLI::Error& error) {
        return explain(app, error);
    }
    if (run) return run();
    std::cerr << app.help();
    return kExitUsage;
}

}  // namespace sluice::agent
