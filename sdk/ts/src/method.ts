/** A row of the policy table, as far as a page has to know it. */
import type { DescMessage } from "@bufbuild/protobuf";

export interface Method<I extends DescMessage = DescMessage, O extends DescMessage = DescMessage> {
  readonly number: number;
  readonly name: string;
  /** The kind of the grant that it needs; "" = none. */
  readonly kind: string;
  readonly stream: boolean;
  /** Bytes of one encoded message. */
  readonly maxRequest: number;
  readonly maxResponse: number;
  readonly request: I;
  readonly response: O;
}

export function method<I extends DescMessage, O extends DescMessage>(row: Method<I, O>): Method<I, O> {
  return Object.freeze(row);
}
