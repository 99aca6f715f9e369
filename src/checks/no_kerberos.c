/* No Kerberos: every GSSAPI call of libpq ends here, and fails, which it takes for "no credentials".
 *
 * A server that asks for GSSAPI makes libpq look for tickets, and that reads files and asks name servers on the thread
 * it is on, for ten seconds where nobody answers: the control loop's. These definitions stand before the library's in
 * the dynamic program, and are the only ones in the static program, as Debian has no static Kerberos.
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
