// What a frontend does with the generated types. Lines that must not compile stand below @ts-expect-error, which is
// itself an error where they do.
import createClient from "openapi-fetch";
import type { components, paths } from "./finance.d.ts";

declare const process: { argv: string[] };

type Payment = components["schemas"]["Payment"];
type Problem = components["schemas"]["Problem"];
type Page<Row> = { data: Row[]; has_more: boolean; next_cursor: string | null };

const [baseUrl = "", key = ""] = process.argv.slice(2);
const finance = createClient<paths>({ baseUrl, headers: { Authorization: `Bearer ${key}` } });

const recorded = await finance.POST("/api/v1/payments", {
  params: { header: { "Idempotency-Key": "form-1" } },
  body: { amount: "1250.50", currency: "EUR", payer: "Ada Lovelace", method: "card" },
});
if (recorded.error) throw new Error(recorded.error.detail);
const payment: Payment = recorded.data;
const amount: string = payment.amount;
const note: string | null = payment.note;
const status: "recorded" | "voided" = payment.status;

const listed = await finance.GET("/api/v1/payments", {
  params: { query: { status: "recorded", currency: "EUR", payer: "Ada", limit: 10 } },
});
if (listed.error) throw new Error(listed.error.detail);
const page: Page<Payment> = listed.data;

const place = { payment_number: payment.payment_number };
const body = { reason: "Bounced." };
const voided = await finance.POST("/api/v1/payments/{payment_number}/void", { params: { path: place }, body });
const again = await finance.POST("/api/v1/payments/{payment_number}/void", { params: { path: place }, body });
if (!again.error) throw new Error("It was voided a second time.");
const problem: Problem = again.error;

const wrong = await finance.POST("/api/v1/payments", {
  body: { amount: "0", currency: "EUR", payer: "Ada Lovelace", method: "card" },
});
const pointers = wrong.error?.errors.map((error) => error.pointer);

console.log(
  JSON.stringify({
    amount,
    note,
    status,
    numbers: page.data.map((row) => row.payment_number),
    has_more: page.has_more,
    voided: voided.data?.status,
    code: problem.code,
    pointers,
  }),
);

/** What a conflict tells beside its code is known with its type. */
export function outstandingOf(conflict: components["schemas"]["RecordPaymentConflictProblem"]): string | undefined {
  return conflict.code === "more_than_outstanding" ? conflict.outstanding : undefined;
}

/** Never called: each of these is a mistake that the types find. */
export async function mistakes(): Promise<void> {
  await finance.POST("/api/v1/payments", {
    // @ts-expect-error: payr isn't a field
    body: { amount: "1.00", currency: "EUR", payr: "Ada", method: "card" },
  });
  await finance.POST("/api/v1/payments", {
    // @ts-expect-error: there is no such method
    body: { amount: "1.00", currency: "EUR", payer: "Ada", method: "crad" },
  });
  // @ts-expect-error: a void has a reason
  await finance.POST("/api/v1/payments/{payment_number}/void", { params: { path: place }, body: {} });
  // @ts-expect-error: there is no such parameter
  await finance.GET("/api/v1/payments", { params: { query: { payed_from: "2026-11-01" } } });
  // @ts-expect-error: there is no such address
  await finance.GET("/api/v1/payment");
  // @ts-expect-error: an amount is a text
  const sum: number = payment.amount;
  // @ts-expect-error: a note may be null
  const length: number = payment.note.length;
  // @ts-expect-error: no operation answers with this code
  const isKnown = problem.code === "payment_voided_already";
  console.log(sum, length, isKnown);
}
