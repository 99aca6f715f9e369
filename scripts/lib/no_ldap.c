/* Debian's libpq.a refers to LDAP, of which Debian has no static library. In the static program it is absent, and says
 * so: a lookup (only asked for by a pg_service.conf) ends at ldap_init. What comes after that is never reached.
 */
#include <stddef.h>

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
