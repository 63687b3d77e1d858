// OpenSSL 3, and what Swift's importer cannot see of it: variadics and macros.
// Header shims only: each function here is one call or one macro of OpenSSL.
#pragma once
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/ocsp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

static inline EVP_PKEY *sluice_generate_p256(void) { return EVP_EC_gen("P-256"); }
static inline void sluice_openssl_free(void *memory) { OPENSSL_free(memory); }
static inline long sluice_bio_memory(BIO *bio, char **memory) { return BIO_get_mem_data(bio, memory); }
static inline X509 *sluice_stack_x509(STACK_OF(X509) *stack, int index) { return sk_X509_value(stack, index); }
static inline int sluice_stack_x509_count(STACK_OF(X509) *stack) { return sk_X509_num(stack); }

// Certificates.
static inline int sluice_add_chain(SSL_CTX *context, X509 *certificate) { return SSL_CTX_add1_chain_cert(context, certificate); }
static inline int sluice_names_count(GENERAL_NAMES *names) { return sk_GENERAL_NAME_num(names); }
static inline GENERAL_NAME *sluice_name_at(GENERAL_NAMES *names, int index) { return sk_GENERAL_NAME_value(names, index); }
static inline void sluice_names_free(GENERAL_NAMES *names) { GENERAL_NAMES_free(names); }
static inline const ASN1_STRING *sluice_dns_name(GENERAL_NAME *name) { return name->type == GEN_DNS ? name->d.dNSName : NULL; }

// Contexts.
static inline long sluice_set_modes(SSL_CTX *context, long modes) { return SSL_CTX_set_mode(context, modes); }
static inline long sluice_session_cache(SSL_CTX *context, long mode) { return SSL_CTX_set_session_cache_mode(context, mode); }
static inline long sluice_minimum(SSL_CTX *context, int version) { return SSL_CTX_set_min_proto_version(context, version); }
static inline long sluice_maximum(SSL_CTX *context, int version) { return SSL_CTX_set_max_proto_version(context, version); }
static inline long sluice_groups(SSL_CTX *context, const char *list) { return SSL_CTX_set1_groups_list(context, list); }
static inline long sluice_dh_auto(SSL_CTX *context) { return SSL_CTX_set_dh_auto(context, 1); }
static inline void sluice_on_server_name(SSL_CTX *context, int (*callback)(SSL *, int *, void *)) { SSL_CTX_set_tlsext_servername_callback(context, callback); }
static inline void sluice_on_status_request(SSL_CTX *context, int (*callback)(SSL *, void *)) { SSL_CTX_set_tlsext_status_cb(context, callback); }
static inline long sluice_staple(SSL *session, void *response, long count) { return SSL_set_tlsext_status_ocsp_resp(session, response, count); }
static inline void *sluice_memdup(const void *memory, size_t count) { return OPENSSL_memdup(memory, count); }
static inline int sluice_extra_index(void (*release)(void *, void *, CRYPTO_EX_DATA *, int, long, void *)) { return SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, release); }
static inline int sluice_session_index(void) { return SSL_get_ex_new_index(0, NULL, NULL, NULL, NULL); }
static inline long sluice_server_name(SSL *session, const char *name) { return SSL_set_tlsext_host_name(session, name); }

static inline uint64_t sluice_set_options(SSL_CTX *context, int is_server, int without_tickets) {
  uint64_t options = SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION;
  if (is_server) options |= SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA;
  if (without_tickets) options |= SSL_OP_NO_TICKET;
  return SSL_CTX_set_options(context, options);
}
static inline int sluice_print_name(BIO *bio, const X509_NAME *name) { return X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253); }
static inline int sluice_ocsp_is_about(const OCSP_SINGLERESP *response, const X509 *certificate) {
  ASN1_INTEGER *serial = NULL;
  OCSP_id_get0_info(NULL, NULL, NULL, &serial, (OCSP_CERTID *)OCSP_SINGLERESP_get0_id(response));
  return serial && ASN1_INTEGER_cmp(serial, X509_get0_serialNumber(certificate)) == 0;
}

// Ticket keys: AES-256-CBC with HMAC-SHA-256.
static inline int sluice_ticket_mac(EVP_MAC_CTX *mac, const unsigned char *key, size_t count) {
  OSSL_PARAM parameters[] = {
      OSSL_PARAM_construct_octet_string("key", (void *)key, count),
      OSSL_PARAM_construct_utf8_string("digest", (char *)"SHA256", 0),
      OSSL_PARAM_construct_end(),
  };
  return EVP_MAC_CTX_set_params(mac, parameters);
}

// BIOs.
static inline int sluice_bio_type(void) { return BIO_get_new_index() | BIO_TYPE_SOURCE_SINK; }
static inline void sluice_retry_read(BIO *bio) { BIO_set_retry_read(bio); }
static inline void sluice_retry_write(BIO *bio) { BIO_set_retry_write(bio); }
static inline void sluice_clear_retry(BIO *bio) { BIO_clear_retry_flags(bio); }
static inline int sluice_is_ssl_error(unsigned long code) { return ERR_GET_LIB(code) == ERR_LIB_SSL; }
static inline int sluice_reason(unsigned long code) { return ERR_GET_REASON(code); }
