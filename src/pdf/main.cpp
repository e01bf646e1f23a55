// hearth-pdf: a PDF on standard input, its text on standard output. Run for one file and then over, so that a file made to
// harm can take nothing but this process: it limits its own processor time and memory first, and writes no files.
// Status 0: text. 1: what is wrong is on standard output, as one line. Anything else: it died.
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <string>

#include "pdf/pdf_text.h"

namespace {

constexpr rlim_t kProcessorTime_s = 10;           // a book of 1,000 pages takes under 2
constexpr rlim_t kMemoryBytes = rlim_t{1} << 30;  // the file, unpacked, several times over
constexpr std::size_t kFileBytesMax = 32U << 20;  // Anthropic's own limit for a request with a PDF

void limit(int what, rlim_t most) {
  const rlimit both{.rlim_cur = most, .rlim_max = most};
  (void)::setrlimit(static_cast<__rlimit_resource>(what), &both);
}

bool write_all(const std::string& text) {
  for (std::size_t done = 0; done < text.size();) {
    const ssize_t count = ::write(STDOUT_FILENO, text.data() + done, text.size() - done);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return false;
    done += static_cast<std::size_t>(count);
  }
  return true;
}

int refuse(const std::string& why) {
  (void)write_all(why);
  return 1;
}

}  // namespace

int main() {
  limit(RLIMIT_CPU, kProcessorTime_s);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)  // which map terabytes that they never use
  limit(RLIMIT_AS, kMemoryBytes);
#endif
  limit(RLIMIT_FSIZE, 0);
  limit(RLIMIT_CORE, 0);
  limit(RLIMIT_NPROC, 0);
  std::string file;
  std::string part(std::size_t{1} << 16, '\0');
  while (true) {
    const ssize_t count = ::read(STDIN_FILENO, part.data(), part.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) break;
    file.append(part.data(), static_cast<std::size_t>(count));
    if (file.size() > kFileBytesMax) return refuse("the PDF is larger than 32 MiB");
  }
  auto text = hearth::pdf::pdf_text(file);
  if (!text) return refuse(text.error().message);
  return write_all(*text) ? 0 : 2;
}
