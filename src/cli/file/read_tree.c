/* SPDX-License-Identifier: MIT */
#include "file/reader.h"

#include <errno.h>
#include <stdlib.h>

#include "base/alloc.h"

/* Names, modules, frames and nodes. */

static int read_strings(struct session_reader *r)
{
    struct json_slice section, value;
    struct json_scan scan;
    size_t cap = 0;

    if (!reader_section(r, "strings", &section))
        return 0;
    if (!json_scan_begin(&scan, section, '['))
        return reader_broken(r, "strings");
    while (json_scan_next(&scan, NULL, &value)) {
        cJSON *item = cJSON_ParseWithLength(value.text, value.len);

        if (!cJSON_IsString(item))
            scan.broken = true;
        GROW(r->names, r->name_count + 1, cap);
        r->names[r->name_count++] = reader_text(r, item);
        cJSON_Delete(item);
    }
    return scan.broken ? reader_broken(r, "strings") : 0;
}

static int read_modules(struct session_reader *r)
{
    struct calltree *tree = &r->s->tree;
    int64_t *path = NULL, *name_ids = NULL, *build_id = NULL, *arch = NULL, *symbols = NULL;
    const double most = (double)r->name_count - 1;
    struct table table;
    int rc = table_open(r, "modules", rs_module_columns[MODULES_PATH], &table);

    if (rc)
        return rc;
    path = table_ints(&table, rs_module_columns[MODULES_PATH], 0, most);
    name_ids = table_ints(&table, rs_module_columns[MODULES_NAME], 0, most);
    build_id = table_ints(&table, rs_module_columns[MODULES_BUILD_ID], 0, most);
    arch = table_ints(&table, rs_module_columns[MODULES_ARCH], 0, most);
    symbols = table_words(&table, rs_module_columns[MODULES_SYMBOLS], WORDS_MODULE_SYMBOLS);
    if (!path || !name_ids || !build_id || !arch)
        rc = reader_broken(r, "modules");
    for (size_t i = 0; !rc && i < table.count; i++) {
        bool is_new;
        uint32_t index = calltree_module(tree, reader_name(r, path[i]), reader_name(r, build_id[i]), &is_new);

        if (!is_new || index != i) {
            rc = reader_broken(r, "modules");
            break;
        }
        tree->modules[i].name = reader_name(r, name_ids[i]);
        tree->modules[i].arch = reader_name(r, arch[i]);
        tree->modules[i].symbols = (enum module_symbols)symbols[i];
    }
    free(path);
    free(name_ids);
    free(build_id);
    free(arch);
    free(symbols);
    return rc;
}

static int read_frames(struct session_reader *r)
{
    struct calltree *tree = &r->s->tree;
    const double most = (double)r->name_count - 1;
    int64_t *func, *object, *addr, *crate, *file, *line, *inlined, *layer;
    struct table table;
    int rc = table_open(r, "frames", rs_frame_columns[FRAMES_FUNC], &table);

    if (rc)
        return rc;
    func = table_ints(&table, rs_frame_columns[FRAMES_FUNC], -1, most);
    object = table_ints(&table, rs_frame_columns[FRAMES_OBJECT], -1, (double)tree->module_count - 1);
    addr = table_ints(&table, rs_frame_columns[FRAMES_ADDR], 0, 9.2e18);
    crate = table_ints(&table, rs_frame_columns[FRAMES_CRATE], 0, most);
    file = table_ints(&table, rs_frame_columns[FRAMES_FILE], 0, most);
    line = table_ints(&table, rs_frame_columns[FRAMES_LINE], 0, UINT32_MAX);
    inlined = table_ints(&table, rs_frame_columns[FRAMES_INLINED], 0, UINT32_MAX);
    layer = table_words(&table, rs_frame_columns[FRAMES_LAYER], WORDS_LAYER);
    if (!func || !object || !addr || !crate || !file || !line || !inlined)
        rc = reader_broken(r, "frames");
    for (size_t i = 0; !rc && i < table.count; i++) {
        string_id name_id = func[i] < 0 ? 0 : reader_name(r, func[i]);
        uint32_t index = object[i] < 0    ? calltree_named_frame(tree, name_id, (enum layer)layer[i])
                         : inlined[i] > 0 ? calltree_inlined_frame(tree, (uint32_t)object[i], (uint64_t)addr[i],
                                                                   (uint32_t)inlined[i])
                                          : calltree_frame(tree, (uint32_t)object[i], (uint64_t)addr[i]);
        struct frame *frame = &tree->frames[index];

        if (index != i) {
            rc = reader_broken(r, "frames");
            break;
        }
        frame->func = name_id;
        frame->crate = reader_name(r, crate[i]);
        frame->file = reader_name(r, file[i]);
        frame->line = (uint32_t)line[i];
        frame->layer = (enum layer)layer[i];
    }
    free(func);
    free(object);
    free(addr);
    free(crate);
    free(file);
    free(line);
    free(inlined);
    free(layer);
    return rc;
}

static int read_nodes(struct session_reader *r)
{
    struct calltree *tree = &r->s->tree;
    int64_t *parent, *frame;
    struct table table;
    int rc = table_open(r, "nodes", rs_node_columns[NODES_PARENT], &table);

    if (rc)
        return rc;
    if (table.count > MAX_NODES)
        return rs_err_set(r->err, -EINVAL, "this session has %zu call-tree nodes; at most %d are read", table.count,
                          MAX_NODES);
    parent = table_ints(&table, rs_node_columns[NODES_PARENT], -1, (double)table.count - 1);
    frame = table_ints(&table, rs_node_columns[NODES_FRAME], 0, (double)tree->frame_count - 1);
    if (!parent || !frame)
        rc = reader_broken(r, "nodes");
    for (size_t i = 0; !rc && i < table.count; i++)
        if (parent[i] >= (int64_t)i || calltree_child(tree, (int32_t)parent[i], (uint32_t)frame[i]) != (int32_t)i)
            rc = reader_broken(r, "nodes");
    free(parent);
    free(frame);
    return rc;
}

int read_tree(struct session_reader *r)
{
    int rc = read_strings(r);

    if (!rc)
        rc = read_modules(r);
    if (!rc)
        rc = read_frames(r);
    return rc ? rc : read_nodes(r);
}
