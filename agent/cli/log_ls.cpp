// `sluice log ls`: the streams of a data directory, with what they hold and how far their readers are.
#include "agent/cli/data_dir.hpp"
#include "agent/log/files.hpp"
#include "agent/log/rows.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <iomanip>
#include <iostream>

namespace sluice::agent {

namespace {

void print_table(const std::vector<LogRow>& rows) {
    std::size_t width = std::string("STREAM").size();
    for (const auto& row : rows) width = std::max(width, row.files.stream.size());
    const auto name_width = static_cast<int>(width);
    std::cout << std::left << std::setw(name_width) << "STREAM"
              << "  " << std::setw(36) << "LOG ID" << std::right << std::setw(10) << "SEGMENTS" << std::setw(14)
              << "START" << std::setw(14) << "END" << std::setw(16) << "BYTES"
              << "  CURSORS\n";
    for (const auto& row : rows) {
        const auto id = row.files.log_id ? row.files.log_id->to_string() : std::string("unreadable");
        std::cout << std::left << std::setw(name_width) << row.files.stream << "  " << std::setw(36) << id << std::right
                  << std::setw(10) << row.files.segments.size() << std::setw(14) << row.start().value() << std::setw(14)
                  << row.end.value() << std::setw(16) << row.bytes << " ";
        for (const auto& cursor : row.cursors) {
            std::cout << ' ' << cursor.reader << ' ' << cursor.offset.value() << " (" << row.end - cursor.offset
                      << " behind)";
        }
        std::cout << '\n';
    }
    for (const auto& row : rows) {
        for (const auto& name : row.files.set_aside)
            std::cout << row.files.stream << ": damaged bytes were set aside: " << name << '\n';
        for (const auto& name : row.files.left_over)
            std::cout << row.files.stream << ": left by a cleaner that was killed: " << name << '\n';
    }
}

void print_json(const std::vector<LogRow>& rows) {
    for (const auto& row : rows) {
        nlohmann::ordered_json line;
        line["stream"] = row.files.stream;
        line["log_id"] = row.files.log_id ? nlohmann::ordered_json(row.files.log_id->to_string()) : nullptr;
        line["segments"] = row.files.segments.size();
        line["log_start_offset"] = row.start().value();
        line["log_end_offset"] = row.end.value();
        line["bytes"] = row.bytes;
        line["set_aside"] = row.files.set_aside;
        line["left_over"] = row.files.left_over;
        auto& cursors = line["cursors"] = nlohmann::ordered_json::array();
        for (const auto& cursor : row.cursors) {
            cursors.push_back(
                {{"reader", cursor.reader}, {"offset", cursor.offset.value()}, {"behind", row.end - cursor.offset}});
        }
        std::cout << line.dump() << '\n';
    }
}

}  // namespace

int log_ls_command(const LogLsArguments& arguments) {
    const auto data_dir = data_dir_of(arguments.log);
    if (!data_dir) return kExitBadConfig;
    storage::PosixFileSystem files;
    const auto found = read_log_rows(files, *data_dir);
    if (!found) return report_failure(found.error());
    const auto& rows = found->rows;
    if (arguments.json)
        print_json(rows);
    else
        print_table(rows);
    std::cout.flush();
    return found->whole && std::cout ? kExitSuccess : kExitFailure;
}

}  // namespace sluice::agent
