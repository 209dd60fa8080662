// The prompt of `sluice sql`: history and completion by libedit, which is under a BSD licence (readline is GPL).
#include "agent/cli/sql.hpp"
#include "agent/text.hpp"

#include <histedit.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <memory>

namespace sluice::agent {

namespace {

constexpr int kHistoryLines = 1000;
constexpr const char* kHelp =
    ".tables          the streams and views\n"
    ".schema [TABLE]  their columns\n"
    ".help            this\n"
    ".quit            leave, as Ctrl-D\n"
    "A statement ends with a semicolon. Ctrl-C stops a query.\n"
    "  select key, avg(value ->> '$.temperature') from telemetry where timestamp > now('-1 hour') group by key;\n"
    "  select time_text(timestamp), value from telemetry where key = 'pump-7' order by offset desc limit 10;\n";
constexpr std::array kWords{"select",  "from",      "where",   "group by", "order by", "limit", "count(*)", "avg(",
                            "min(",    "max(",      "sum(",    "desc",     "between",  "and",   "distinct", "now('",
                            "time_ms", "time_text", "having ", ".tables",  ".schema",  ".help", ".quit"};

/// Where lines are kept for the next time; empty: nowhere.
std::string history_file() {
    const char* const home = std::getenv("HOME");
    return home == nullptr || *home == '\0' ? "" : std::string(home) + "/.sluice_sql_history";
}

class Prompt {
 public:
    Prompt(sql::SqlSession& session, SqlFormat format)
        : session_(session),
          format_(format),
          history_(history_init(), history_end),
          editor_(el_init("sluice", stdin, stdout, stderr), el_end),
          file_(history_file()) {
        HistEvent event;
        history(history_.get(), &event, H_SETSIZE, kHistoryLines);
        history(history_.get(), &event, H_SETUNIQUE, 1);
        if (!file_.empty()) history(history_.get(), &event, H_LOAD, file_.c_str());
        auto* const editor = editor_.get();
        el_set(editor, EL_CLIENTDATA, this);
        el_set(editor, EL_PROMPT, &Prompt::prompt);
        el_set(editor, EL_EDITOR, "emacs");
        el_set(editor, EL_HIST, history, history_.get());
        el_set(editor, EL_ADDFN, "sluice-complete", "complete a name", &Prompt::complete);
        el_set(editor, EL_BIND, "^I", "sluice-complete", nullptr);
        el_set(editor, EL_BIND, "^R", "em-inc-search-prev", nullptr);
    }

    int run() {
        std::cout << "SQL over the local log, read-only. .help tells more.\n" << std::flush;
        for (bool goes_on = true; goes_on;) {
            int count = 0;
            errno = 0;
            const char* const line = el_gets(editor_.get(), &count);
            if (line == nullptr && errno == EINTR) {
                std::cout << "^C\n" << std::flush;
                text_.clear();
                continue;
            }
            if (line == nullptr || count <= 0) break;
            goes_on = take(line);
        }
        std::cout << '\n';
        HistEvent event;
        if (!file_.empty()) history(history_.get(), &event, H_SAVE, file_.c_str());
        return kExitSuccess;
    }

 private:
    static Prompt& self(EditLine* editor) {
        Prompt* prompt = nullptr;
        el_get(editor, EL_CLIENTDATA, &prompt);
        return *prompt;
    }
    static char* prompt(EditLine* editor) {
        static std::string first = "sluice> ";
        static std::string more = "   ...> ";
        return (self(editor).text_.empty() ? first : more).data();
    }

    /// @return false: it was the last line
    bool take(const std::string& line) {
        const bool blank = line.find_first_not_of(" \t\r\n") == std::string::npos;
        if (blank && text_.empty()) return true;
        HistEvent event;
        history(history_.get(), &event, H_ENTER, line.c_str());
        if (text_.empty() && line[0] == '.') return command(line);
        text_ += line;
        if (!sql::SqlSession::is_complete(text_)) return true;
        const auto query = std::exchange(text_, {});
        run_sql(session_, query, format_);
        return true;
    }

    bool command(const std::string& line) {
        const auto end = line.find_last_not_of(" \t\r\n;") + 1;
        const auto name = line.substr(0, std::min(line.find_first_of(" \t\r\n"), end));
        const auto begin = std::min(line.find_first_not_of(" \t", name.size()), end);
        const auto argument = line.substr(begin, end - begin);
        if (name == ".quit" || name == ".exit") return false;
        if (name == ".help") {
            std::cout << kHelp;
        } else if (name == ".tables") {
            for (const auto& table : session_.tables()) std::cout << one_line(table.name) << '\n';
        } else if (name == ".schema") {
            for (const auto& table : session_.tables()) {
                if (!argument.empty() && table.name != argument) continue;
                std::cout << one_line(table.name) << " (" << one_line(table.columns) << ")\n";
            }
        } else {
            std::cout << one_line(name) << " is no command (.help lists them)\n";
        }
        std::cout << std::flush;
        return true;
    }

    /// What begins with `word`, and goes on alike.
    std::string completion(const std::string& word) {
        std::vector<std::string> names(kWords.begin(), kWords.end());
        for (const auto& table : session_.tables()) {
            names.push_back(table.name);
            std::string column;
            for (const char c : table.columns + ",") {
                if (c == ',') names.push_back(std::exchange(column, {}));
                if (c != ',' && c != ' ') column += c;
            }
        }
        std::optional<std::string> common;
        for (const auto& name : names) {
            if (!name.starts_with(word)) continue;
            if (!common) common = name;
            const auto differ = std::mismatch(common->begin(), common->end(), name.begin(), name.end()).first;
            common->erase(differ, common->end());
        }
        return common ? common->substr(word.size()) : "";
    }

    static unsigned char complete(EditLine* editor, int /*key*/) {
        const auto* const line = el_line(editor);
        const std::string before(line->buffer, line->cursor);
        const auto space = before.find_last_of(" \t\n,(");
        const auto word = space == std::string::npos ? before : before.substr(space + 1);
        const auto rest = word.empty() ? "" : self(editor).completion(word);
        if (rest.empty() || el_insertstr(editor, rest.c_str()) != 0) return CC_ERROR;
        return CC_REFRESH;
    }

    sql::SqlSession& session_;
    const SqlFormat format_;
    const std::unique_ptr<::History, decltype(&history_end)> history_;
    const std::unique_ptr<EditLine, decltype(&el_end)> editor_;
    const std::string file_;
    std::string text_;  // of a statement that isn't complete
};

}  // namespace

int sql_prompt(sql::SqlSession& session, SqlFormat format) {
    return Prompt(session, format).run();
}

}  // namespace sluice::agent
