/* ALTER … DEPENDS ON EXTENSION: the object goes when the extension goes. The dependency is among what the object needs. */
#include "catalog/ddl.h"

void pgc_ddl_depends_on_extension(pgc_ddl *ddl, pgc_buffer *out, const pgc_object *object, const char *kind, const char *name)
{
    if (!object->depends_on_extension)
        return;
    const pgc_extension *owner = pgc_catalog_owning_extension(ddl->catalog, object->class_oid, object->oid);
    for (int i = 0; i < object->need_count; i++) {
        const pgc_object *needed = pgc_catalog_object(ddl->catalog, object->needs[i]);
        if (!needed || needed->kind != PGC_KIND_EXTENSION)
            continue;
        if (owner && needed->id == owner->object.id)
            owner = NULL; /* that it belongs to it is one need; another would be that it depends on it, too */
        else
            pgc_buffer_format(out, ddl->version >= 170000 ? "\nALTER %s %s DEPENDS ON EXTENSION %s;" : "ALTER %s %s DEPENDS ON EXTENSION %s;\n", kind, name,
                              pgc_ddl_name(ddl, needed->name));
    }
}
