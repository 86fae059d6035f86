/** AES-GCM with 96-bit nonces is the one form that NIST SP 800-38D needs no extra hashing for. */
export const NONCE_BYTES = 12

/**
 * Seals and opens the frames of one segment in place. An engine holds the segment's frame key;
 * `dispose` lets go of it. Frames are given by the buffer they lie in and where they start; their
 * header is in place already, the parcel or ciphertext follows it, the last 16 bytes are the tag.
 */
export interface FrameCipher {
  /** Replaces the parcel by its ciphertext and writes the tag. */
  seal(part: Buffer, frameAt: number, frameBytes: number, seq: number, aad: Uint8Array): void
  /**
   * Opens a frame and returns the parcel; the frame itself is left as it is. The result is the
   * caller's. Throws SEAL_OPEN_FAILED, without a hint of what was wrong, and releases no byte then.
   */
  open(part: Buffer, frameAt: number, frameBytes: number, seq: number, aad: Uint8Array): Buffer
}
