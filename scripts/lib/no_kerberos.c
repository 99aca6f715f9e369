/* Debian's libpq.a refers to Kerberos and LDAP, of which Debian has no static libraries. In the static program both are
 * absent, and say so: every GSSAPI call fails, which libpq takes for "no credentials" and goes on without, and an LDAP
 * lookup (only asked for by a pg_service.conf) ends at ldap_init. What comes after these two is never reached.
 */
#include <stddef.h>

enum { kGssFailure = 13 << 16 }; /* GSS_S_FAILURE, RFC 2744 section 3.9.1 */

#define ABSENT_GSS(name)        \
  unsigned name(unsigned* minor); \
  unsigned name(unsigned* minor) { \
    *minor = 0;                 \
    return kGssFailure;         \
  }

ABSENT_GSS(gss_acquire_cred)
ABSENT_GSS(gss_delete_sec_context)
ABSENT_GSS(gss_display_status)
ABSENT_GSS(gss_import_name)
ABSENT_GSS(gss_init_sec_context)
ABSENT_GSS(gss_release_buffer)
ABSENT_GSS(gss_release_cred)
ABSENT_GSS(gss_release_name)
ABSENT_GSS(gss_unwrap)
ABSENT_GSS(gss_wrap)
ABSENT_GSS(gss_wrap_size_limit)
void* GSS_C_NT_HOSTBASED_SERVICE = NULL;

#define ABSENT_LDAP(type, name, value) \
  type name(void);                     \
  type name(void) { return value; }

ABSENT_LDAP(void*, ldap_init, NULL)
ABSENT_LDAP(char*, ldap_err2string, "LDAP is not part of this program")
ABSENT_LDAP(int, ldap_count_entries, 0)
ABSENT_LDAP(void*, ldap_first_entry, NULL)
ABSENT_LDAP(void*, ldap_get_values_len, NULL)
ABSENT_LDAP(int, ldap_msgfree, 0)
ABSENT_LDAP(int, ldap_result, -1)
ABSENT_LDAP(int, ldap_search_st, -1)
ABSENT_LDAP(int, ldap_set_option, -1)
ABSENT_LDAP(int, ldap_simple_bind, -1)
ABSENT_LDAP(int, ldap_unbind, 0)
ABSENT_LDAP(int, ldap_value_free_len, 0)
