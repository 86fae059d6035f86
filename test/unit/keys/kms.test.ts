import { kmsContract } from '../../contracts/kms.contract.ts'
import { FakeKms } from '../../support/fake-kms.ts'
import { KEK_ID } from '../../support/sealed-segment.ts'

kmsContract('the fake', () => ({ kms: new FakeKms(KEK_ID), kekId: KEK_ID }))
