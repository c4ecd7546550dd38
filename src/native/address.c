#include "native/address.h"

#include "postgres/quote.h"

#include <stdlib.h>

#define MASK "********"

/* What of a connection string means the same for the server that connects in our place. Files (certificates, service
 * files) do not. */
static const char *const passed_on[] = {
    "hostaddr",   "sslmode",         "connect_timeout",         "target_session_attrs",
    "gssencmode", "channel_binding", "ssl_min_protocol_version"};

struct native_address {
    PQconninfoOption *given, *via;
    PGconn *conn;
    const char *password;
};

static PQconninfoOption *parse(const char *text, pgconvoy_error *err)
{
    PQconninfoOption *options = PQconninfoParse(text, NULL);
    if (!options) { /* libpq's own message may quote a password */
        pgconvoy_error_set(err, PGCONVOY_ERROR_USAGE, "the words of --via cannot be read");
        pgconvoy_error_hint(err, "write them as \"host=… port=…\"");
    }
    return options;
}

native_address *native_address_new(const char *uri, PGconn *conn, const char *via, const char *password,
                                   pgconvoy_error *err)
{
    native_address *address = calloc(1, sizeof *address);
    if (!address) {
        pgc_error_out_of_memory(err);
        return NULL;
    }
    address->conn = conn;
    address->password = password;
    address->given = parse(uri, err);
    if (address->given && (!via || (address->via = parse(via, err))))
        return address;
    native_address_free(address);
    return NULL;
}

void native_address_free(native_address *address)
{
    if (!address)
        return;
    PQconninfoFree(address->given);
    PQconninfoFree(address->via);
    free(address);
}

static const char *word(const PQconninfoOption *options, const char *keyword)
{
    for (; options && options->keyword; options++)
        if (strcmp(options->keyword, keyword) == 0)
            return options->val && options->val[0] ? options->val : NULL;
    return NULL;
}

static const char *value(const native_address *address, const char *keyword, const char *known)
{
    const char *via = word(address->via, keyword);
    return via ? via : known ? known : word(address->given, keyword);
}

static const char *password_of(const native_address *address)
{
    const char *password = address->password ? address->password : value(address, "password", PQpass(address->conn));
    return password && password[0] ? password : NULL;
}

bool native_address_has_password(const native_address *address)
{
    return password_of(address) != NULL;
}

typedef void (*add_word)(pgc_buffer *out, const char *keyword, const char *value);

static void add_option(pgc_buffer *out, const char *keyword, const char *text)
{
    pgc_buffer_format(out, "%s%s ", out->length && out->data[out->length - 1] != '(' ? ", " : "", keyword);
    pgc_quote_literal(out, text);
}

/* key='value' of a connection string: a backslash before quotes and backslashes. */
static void add_pair(pgc_buffer *out, const char *keyword, const char *text)
{
    pgc_buffer_format(out, "%s%s='", out->length ? " " : "", keyword);
    for (; *text; text++) {
        if (*text == '\'' || *text == '\\')
            pgc_buffer_byte(out, '\\');
        pgc_buffer_byte(out, *text);
    }
    pgc_buffer_byte(out, '\'');
}

static void add_place(const native_address *address, add_word add, pgc_buffer *out)
{
    add(out, "host", value(address, "host", PQhost(address->conn)));
    add(out, "port", value(address, "port", PQport(address->conn)));
    add(out, "dbname", value(address, "dbname", PQdb(address->conn)));
    for (size_t i = 0; i < sizeof passed_on / sizeof passed_on[0]; i++) {
        const char *text = value(address, passed_on[i], NULL);
        /* another host has another address */
        if (text && !(i == 0 && word(address->via, "host") && !word(address->via, "hostaddr")))
            add(out, passed_on[i], text);
    }
}

static void add_user(const native_address *address, bool masked, add_word add, pgc_buffer *out)
{
    add(out, "user", value(address, "user", PQuser(address->conn)));
    if (password_of(address))
        add(out, "password", masked ? MASK : password_of(address));
}

void native_address_server_options(const native_address *address, pgc_buffer *out)
{
    add_place(address, add_option, out);
}

void native_address_user_options(const native_address *address, bool masked, pgc_buffer *out)
{
    add_user(address, masked, add_option, out);
}

void native_address_conninfo_literal(const native_address *address, bool masked, pgc_buffer *out)
{
    pgc_buffer text;
    pgc_buffer_init(&text, 65536);
    add_place(address, add_pair, &text);
    add_user(address, masked, add_pair, &text);
    pgc_quote_literal(out, text.data ? text.data : "");
    out->failed = out->failed || text.failed;
    pgc_buffer_free(&text);
}
