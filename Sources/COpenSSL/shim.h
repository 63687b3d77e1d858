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
