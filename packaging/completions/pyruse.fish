# fish completion for pyruse: the program itself says what may stand at the cursor.

complete --command pyruse --no-files \
    --arguments '(pyruse complete -- (commandline --cut-at-cursor --current-process --tokenize) (commandline --cut-at-cursor --current-token) 2>/dev/null)'
