import type { LibraryHandle } from 'koffi'

/**
 * The functions of libcrypto that sealing needs, as C declares them. This file declares and does
 * nothing else; gcm-context.ts is the only caller, and checks every argument before a call.
 * Pointers are a BigInt (a context, a cipher) or a typed array, whose memory is passed as it is;
 * null is NULL. Calls are synchronous.
 */
export interface OpensslLibrary {
  contextNew(): Pointer
  contextFree(context: Pointer): void
  aes256Gcm(): Pointer
  /** `direction` 1 encrypts, 0 decrypts, -1 leaves it as it is, as null leaves cipher and key. */
  init(
    context: Pointer,
    cipher: Pointer | null,
    key: Uint8Array | null,
    iv: Uint8Array | null,
    direction: 1 | 0 | -1,
    params: null,
  ): number
  /** `out` null makes `input` associated data. */
  update(
    context: Pointer,
    out: Uint8Array | null,
    written: Int32Array,
    input: Uint8Array,
    inputBytes: number,
  ): number
  final(context: Pointer, out: Uint8Array, written: Int32Array): number
  control(context: Pointer, type: number, bytes: number, tag: Uint8Array): number
  /** Empties this thread's queue of errors. */
  clearErrors(): void
  /** "OpenSSL 3.5.8 ..." for `what` 0. */
  versionText(what: number): string
}

/** An address out of libcrypto. NULL comes back as null. */
export type Pointer = bigint | null

/** Gives the koffi module; throws where there is none for this machine. */
export type KoffiLoader = () => Promise<{ load(path: null): LibraryHandle }>

/** Imported when it is asked for, so that a process that seals nothing never loads native code. */
export const importKoffi: KoffiLoader = async () => (await import('koffi')).default

/**
 * Finds libcrypto's functions in the running process: Node's own OpenSSL, linked in or shared.
 * Throws when koffi cannot be loaded or a function is not exported.
 */
export async function loadOpenssl(loadKoffi: KoffiLoader): Promise<OpensslLibrary> {
  const koffi = await loadKoffi()
  const self = koffi.load(null)
  return {
    contextNew: self.func('void *EVP_CIPHER_CTX_new(void)'),
    contextFree: self.func('void EVP_CIPHER_CTX_free(void *ctx)'),
    aes256Gcm: self.func('const void *EVP_aes_256_gcm(void)'),
    init: self.func(
      'int EVP_CipherInit_ex2(void *ctx, const void *cipher, const uint8_t *key, const uint8_t *iv, int enc, const void *params)',
    ),
    update: self.func(
      'int EVP_CipherUpdate(void *ctx, uint8_t *out, int *outl, const uint8_t *in, int inl)',
    ),
    final: self.func('int EVP_CipherFinal_ex(void *ctx, uint8_t *out, int *outl)'),
    control: self.func('int EVP_CIPHER_CTX_ctrl(void *ctx, int type, int arg, uint8_t *ptr)'),
    clearErrors: self.func('void ERR_clear_error(void)'),
    versionText: self.func('const char *OpenSSL_version(int what)'),
  }
}
