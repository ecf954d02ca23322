/* The least that reading a journal costs: visits every entry of these files and does nothing with it.
 *
 *   raw_loop e FILE...    reads every field
 *   raw_loop g FILE...    reads one field, which is among the first
 *   raw_loop n FILE...    reads none
 *
 * Prints how many entries there were. */
#include <stddef.h>
#include <stdio.h>
#include <systemd/sd-journal.h>

int main(int argc, char **argv) {
    sd_journal *journal;
    const void *field;
    size_t length;
    unsigned long entries = 0;
    if (argc < 3 || sd_journal_open_files(&journal, (const char **)argv + 2, 0) < 0) {
        fprintf(stderr, "usage: raw_loop e|g|n FILE...\n");
        return 2;
    }
    for (; sd_journal_next(journal) > 0; entries++) {
        if (*argv[1] == 'e') {
            SD_JOURNAL_FOREACH_DATA(journal, field, length) {}
        } else if (*argv[1] == 'g') {
            sd_journal_get_data(journal, "PRIORITY", &field, &length);
        }
    }
    printf("%lu\n", entries);
    sd_journal_close(journal);
    return 0;
}
