/** What came of switching a KEK off. */
export interface KekEnd {
  /** disabled: whoever runs the KMS can undo it; destroyed: nobody can. */
  readonly kind: 'disabled' | 'destroyed'
  /** What is left for a person to do, in words; none where nothing is. */
  readonly remains: readonly string[]
}

/**
 * Switches KEKs off, where a provider lets sealstream do that and its rights allow it. Apart from
 * {@link Kms}: nothing that seals or reads may do it. Errors: SEAL_KMS_*, SEAL_KEK_*.
 */
export interface KekAdmin {
  /** Of one version, or (null) of the KEK. One that is off or gone already is fine. */
  end(kekId: string, kekVersion: string | null): Promise<KekEnd>
}
