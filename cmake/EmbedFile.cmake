# cmake -DINPUT=FILE -DOUTPUT=FILE.c -DSYMBOL=NAME -P EmbedFile.cmake: FILE as a C array NAME and its size NAME_bytes.
file(READ ${INPUT} hex HEX)
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
string(REGEX REPLACE "([^\n]{400})" "\\1\n" bytes "${bytes}")
file(WRITE ${OUTPUT} "#include \"report/html.h\"\nconst unsigned char ${SYMBOL}[] = {\n${bytes}\n};\nconst size_t ${SYMBOL}_bytes = sizeof(${SYMBOL});\n")
