// commands.hpp: the commands of `sluice`, each in a file of its own, and the exit codes that they share.
#pragma once

#include "agent/config_file.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace sluice::agent {

inline constexpr int kExitSuccess = 0;
inline constexpr int kExitFailure = 1;
inline constexpr int kExitUsage = 2;
inline constexpr int kExitSyncFailed = 74;    // EX_IOERR: a sync of the log failed, start again to recover
inline constexpr int kExitFenced = 77;        // EX_NOPERM: another agent with this id has taken over
inline constexpr int kExitBadConfig = 78;     // EX_CONFIG
inline constexpr int kExitInterrupted = 130;  // 128 + SIGINT, as shells have it

/// --config FILE, and what the command line sets over it.
struct ConfigArguments {
    std::string file;
    ConfigOverrides overrides;
};

/// The agent: until SIGTERM or SIGINT.
struct RunArguments {
    ConfigArguments config;
};
int run_command(const RunArguments& arguments);

/// Validates, and prints what would run. Starts nothing.
int check_command(const ConfigArguments& arguments);

int version_command();

/// Agent, simulated devices and a cluster, with no set-up.
struct DemoArguments {
    std::chrono::seconds duration{30};
    int messages_per_second = 500;
    std::string kafka_command;  ///< starts a broker: COMMAND --dir DIR --port PORT; empty: librdkafka's mock cluster
    bool open = false;          ///< shows the page, and stays until Ctrl-C
};
int demo_command(const DemoArguments& arguments);

/// Measures this box: bytes that reach the medium for each byte of payload.
struct BenchArguments {
    bool flash = false;           ///< the one that there is
    std::string directory = ".";  ///< on the disk that is to be measured
    int seconds = 5;              ///< for each combination of rate and interval
    bool json = false;
};
int bench_command(const BenchArguments& arguments);

/// Where the log is: named, or found in the configuration.
struct LogArguments {
    std::string config_file;              ///< empty: none
    std::optional<std::string> data_dir;  ///< wins
};

/// What a running agent is doing; where none runs, what its directory tells.
struct StatusArguments {
    LogArguments log;
    bool json = false;
    bool watch = false;  ///< again every two seconds, until a signal
};
int status_command(const StatusArguments& arguments);

/// Who sends to a running agent: the longest silent first.
struct DevicesArguments {
    LogArguments log;
    std::string stream;         ///< empty: all
    double silent_seconds = 0;  ///< only those that are silent for so long
    bool json = false;
};
int devices_command(const DevicesArguments& arguments);

/// What fires now, of a running agent or as the log of alerts says.
struct AlertsArguments {
    LogArguments log;
    bool all = false;  ///< instead: what came about last
    bool json = false;
};
int alerts_command(const AlertsArguments& arguments);

/// Has a running agent read its configuration again.
int reload_command(const LogArguments& arguments);

/// Pauses the way to Kafka of a running agent, or ends the pause.
int uplink_command(const LogArguments& arguments, bool open);

struct LogLsArguments {
    LogArguments log;
    bool json = false;
};
int log_ls_command(const LogLsArguments& arguments);

struct LogCatArguments {
    LogArguments log;
    std::string stream;
    std::string from;                ///< first offset, or a time (RFC 3339); empty: the beginning
    std::string to;                  ///< last offset, or a time; empty: the end
    std::optional<std::string> key;  ///< only records with this very key
    std::optional<std::uint64_t> limit;
    bool json = false;
    bool headers = false;  ///< for people too; JSON has them always
};
int log_cat_command(const LogCatArguments& arguments);

struct LogVerifyArguments {
    LogArguments log;
    std::string stream;   ///< empty: all
    bool repair = false;  ///< with no agent running
    bool json = false;
};
int log_verify_command(const LogVerifyArguments& arguments);

/// What the agent's cleaner does, once and at full speed, with no agent running.
struct LogCleanArguments {
    ConfigArguments config;
    std::string stream;  ///< empty: all
};
int log_clean_command(const LogCleanArguments& arguments);

/// What became of a record.
struct WhyArguments {
    LogArguments log;
    std::string stream;
    std::optional<std::int64_t> offset;  ///< this one, or …
    std::optional<std::string> key;      ///< … the nearest of this key …
    std::string at;                      ///< … to this time (RFC 3339)
    bool json = false;
};
int why_command(const WhyArguments& arguments);

/// The users of the agent's own MQTT listener.
struct PasswdArguments {
    std::string file;
    std::string user;
    bool remove = false;
    bool password_stdin = false;  ///< one line of it, instead of asking on the terminal
};
int passwd_command(const PasswdArguments& arguments);

/// Scores the rows of a CSV file with a detector.
struct DetectArguments {
    std::string in, out;
    std::vector<std::string> value_columns;
    std::string time_column = "timestamp";
    std::string method;  ///< empty: the default for so many columns
    bool list = false;   ///< only the methods
};
int detect_command(const DetectArguments& arguments);

/// Learns remaining life from run-to-failure histories in a CSV file.
struct LifeTrainArguments {
    std::string in, model;
    std::optional<double> horizon;  ///< in cycles
};
int life_train_command(const LifeTrainArguments& arguments);

/// Tells the remaining life of the units in a CSV file, after their last rows.
struct LifePredictArguments {
    std::string in, model, out;
};
int life_predict_command(const LifePredictArguments& arguments);

/// The rules of a configuration.
struct RulesListArguments {
    std::string config_file;
    bool json = false;
};
int rules_list_command(const RulesListArguments& arguments);

/// Runs rules over records that are there already.
struct RulesTestArguments {
    std::string config_file;
    std::vector<std::string> rules;        ///< empty: all of the stream
    std::string stream;                    ///< empty: that of the rules
    std::optional<std::string> data_dir;   ///< over agent.data_dir
    std::optional<std::int64_t> from, to;  ///< offsets
    std::string in;                        ///< a CSV or JSON-lines file instead of the log
    std::string time_column, device_column;
    std::chrono::milliseconds wait{0};  ///< how long time goes on after the last record
    std::string plot;                   ///< an SVG file to write
    std::string expect;                 ///< a file with what shall come out
    bool json = false;
};
int rules_test_command(const RulesTestArguments& arguments);

/// Reads the command line and runs the command it names.
/// @return the exit code
int run_command_line(int argc, char** argv);

}  // namespace sluice::agent
