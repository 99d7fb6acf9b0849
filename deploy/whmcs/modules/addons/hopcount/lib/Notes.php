<?php

namespace WHMCS\Module\Addon\Hopcount;

use WHMCS\Database\Capsule;

/**
 * What changes of an invoice without a hook: WHMCS 9 corrects issued invoices by credit and debit notes, for
 * which its documentation names none.  WHMCS's cron looks at the invoices that were in mails lately, by the
 * documented fields of GetInvoice and GetTransactions, and compares them with what it saw before.
 *
 * What is asked for in all is what was paid and what is left to pay.  When less is asked for than before, and no
 * credit of the client was used for it, a credit note took the difference away; when more, a debit note (or a
 * late fee) added it.
 */
final class Notes
{
    const KEPT_S = 7776000; // an invoice is looked at for 90 days after its last mail
    const AGAIN_S = 3600;
    const BUDGET_S = 3.0; // of each run of the cron
    const AT_ONCE = 500;
    const LEAST = 0.005; // of an amount; below it is rounding
    const EVENTS = ['Paid' => 'invoice.paid', 'Cancelled' => 'invoice.cancelled', 'Refunded' => 'invoice.refunded',
        'Unpaid' => 'invoice.unpaid'];

    /** An invoice is in a mail. */
    public static function watch(int $invoice)
    {
        $row = ['mailed_at' => time()];
        if (Capsule::table(Store::INVOICES)->where('id', $invoice)->update($row) === 0) {
            try {
                Capsule::table(Store::INVOICES)->insert($row + ['id' => $invoice, 'looked_at' => 0, 'seen' => '[]']);
            } catch (\Throwable $e) { // it is there: another process was faster, or it was mailed this very second
                return;
            }
        }
    }

    /** What notes have taken away (or added, below 0) that GetInvoice's total still holds. */
    public static function hidden(int $invoice): float
    {
        $row = Capsule::table(Store::INVOICES)->where('id', $invoice)->first();
        return $row === null ? 0.0 : (float) (json_decode($row->seen, true)['hidden'] ?? 0);
    }

    /** By WHMCS's cron: those that were not looked at for longest, until the time is over. */
    public static function look(Settings $settings)
    {
        if (!$settings->isOn('send_events') || !Store::lock('look', 120)) {
            return;
        }
        $until = microtime(true) + self::BUDGET_S;
        try {
            foreach (Capsule::table(Store::INVOICES)->where('looked_at', '<=', time() - self::AGAIN_S)
                ->orderBy('looked_at')->limit(self::AT_ONCE)->get() as $row) {
                if (microtime(true) > $until || !self::lookAt((int) $row->id, json_decode($row->seen, true) ?: [])) {
                    return;
                }
            }
        } finally {
            Store::unlock('look');
        }
    }

    /** DailyCronJob. */
    public static function forgetOld()
    {
        Capsule::table(Store::INVOICES)->where('mailed_at', '<', time() - self::KEPT_S)->delete();
    }

    /** False when WHMCS can't be asked. */
    private static function lookAt(int $id, array $before): bool
    {
        $invoice = Whmcs::invoice($id);
        $transactions = is_array($invoice) ? Whmcs::transactions($id) : null;
        if ($invoice === null || ($invoice !== false && $transactions === null)) {
            return false;
        }
        $table = Capsule::table(Store::INVOICES)->where('id', $id);
        if ($invoice === false) {
            $table->delete();
            return true;
        }
        $now = ['status' => $invoice['status'], 'asked' => $invoice['balance'] + $transactions['paid'],
            'total' => $invoice['total'], 'credit' => $invoice['credit'], 'balance' => $invoice['balance'],
            'hidden' => (float) ($before['hidden'] ?? 0)];
        if (isset($before['status'])) {
            self::compare($id, $invoice, $before, $now);
        }
        $table->update(['looked_at' => time(), 'seen' => json_encode($now)]);
        return true;
    }

    private static function compare(int $id, array $invoice, array $before, array &$now)
    {
        if ($now['status'] !== $before['status']) {
            self::tellStatus($id, $invoice, $before['status']);
            return; // how a payment changes the sums is not for us to judge
        }
        $taken = $before['asked'] - $now['asked'] - ($now['credit'] - $before['credit']);
        if (abs($taken) < self::LEAST) {
            return;
        }
        if (abs($now['total'] - $before['total']) < self::LEAST) {
            $now['hidden'] += $taken;
        }
        $isPaid = $now['status'] === 'Paid';
        $isSettled = $now['status'] === 'Unpaid' && $before['balance'] >= self::LEAST && $now['balance'] < self::LEAST;
        if ($taken > 0 && ($isPaid || $isSettled)) {
            Events::tellInvoice('invoice.credited', $id, $invoice, $taken);
        } elseif ($taken < 0 && $isPaid && $now['balance'] >= self::LEAST) {
            /* There is something to pay again; what was paid stays paid. */
            Events::tellInvoice('invoice.partly_paid', $id, $invoice, 0.0);
        }
    }

    private static function tellStatus(int $id, array $invoice, string $before)
    {
        $type = self::EVENTS[$invoice['status']] ?? '';
        $isBack = $type !== 'invoice.unpaid' || in_array($before, ['Paid', 'Cancelled', 'Refunded'], true);
        if ($type !== '' && $isBack && Events::lastTold($id) !== $type) {
            Events::tellInvoice($type, $id, $invoice);
        }
    }
}
