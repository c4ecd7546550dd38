/* Texts of HTTP: escapes in URLs (RFC 3986, section 2), and the header of basic authorization (RFC 7617). */
#include "net/http.h"

static bool is_unreserved(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
           c == '_' || c == '~';
}

void pgc_http_escape_n(pgc_buffer *out, const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)text[i];
        if (is_unreserved(c))
            pgc_buffer_byte(out, (char)c);
        else
            pgc_buffer_format(out, "%%%02X", c);
    }
}

void pgc_http_escape(pgc_buffer *out, const char *text)
{
    pgc_http_escape_n(out, text, strlen(text));
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool pgc_http_unescape(char *text)
{
    char *to = text;
    for (const char *from = text; *from; from++) {
        if (*from != '%') {
            *to++ = *from;
            continue;
        }
        int high = hex_digit(from[1]);
        int low = high < 0 ? -1 : hex_digit(from[2]);
        if (low < 0 || (high == 0 && low == 0))
            return false;
        *to++ = (char)(high << 4 | low);
        from += 2;
    }
    *to = '\0';
    return true;
}

void pgc_http_basic_authorization(pgc_buffer *out, const char *user, const char *password)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t user_length = strlen(user), length = user_length + 1 + strlen(password);
    pgc_buffer_text(out, "Authorization: Basic ");
    for (size_t i = 0; i < length; i += 3) {
        uint32_t group = 0;
        for (size_t j = 0; j < 3; j++) {
            size_t at = i + j;
            unsigned char c = at >= length        ? 0
                              : at < user_length  ? (unsigned char)user[at]
                              : at == user_length ? ':'
                                                  : (unsigned char)password[at - user_length - 1];
            group = group << 8 | c;
        }
        for (size_t j = 0; j < 4; j++)
            pgc_buffer_byte(out, i + j > length ? '=' : digits[group >> (18 - 6 * j) & 63]);
    }
}
