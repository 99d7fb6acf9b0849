<?php

namespace WHMCS\Module\Addon\Hopcount;

use WHMCS\Database\Capsule;

/**
 * The module's tables.  Methods throw what the database throws: who must not fail catches it.
 *
 *   mod_hopcount_campaigns  the number of each mail template, and its type
 *   mod_hopcount_queue      what hopcount has still to be told, in order, and what became of invoices
 *   mod_hopcount_invoices   invoices that were in mails lately, and what was seen of them (Notes)
 *   mod_hopcount_state      small things with an end: answers that are kept, locks, pauses
 */
final class Store
{
    const CAMPAIGNS = 'mod_hopcount_campaigns';
    const QUEUE = 'mod_hopcount_queue';
    const INVOICES = 'mod_hopcount_invoices';
    const STATE = 'mod_hopcount_state';
    const CAMPAIGNS_MAX = 65535;

    /** Built-in templates have the numbers that they always had. */
    const BUILT_IN = [
        1 => 'Invoice Created',
        2 => 'Invoice Payment Reminder',
        3 => 'First Invoice Overdue Notice',
        4 => 'Second Invoice Overdue Notice',
        5 => 'Third Invoice Overdue Notice',
        6 => 'Credit Card Invoice Created',
        7 => 'Invoice Payment Confirmation',
        8 => 'Credit Card Payment Confirmation',
        9 => 'Credit Card Payment Due',
        10 => 'Credit Card Payment Failed',
        11 => 'Credit Card Payment Pending',
        12 => 'Direct Debit Payment Confirmation',
        13 => 'Direct Debit Payment Failed',
        14 => 'Direct Debit Payment Pending',
        15 => 'Invoice Modified',
        16 => 'Invoice Refund Confirmation',
    ];

    /** @var array|null of this process: [name => [id, type]] */
    private static $campaigns;

    /** Makes what isn't there yet. */
    public static function create()
    {
        $schema = Capsule::schema();
        if (!$schema->hasTable(self::CAMPAIGNS)) {
            $schema->create(self::CAMPAIGNS, function ($table) {
                $table->increments('id');
                $table->string('name', 190);
                $table->string('digest', 40)->unique(); // of the name: to MySQL an A with dots is an A
                $table->string('type', 20);
            });
            foreach (self::BUILT_IN as $id => $name) {
                Capsule::table(self::CAMPAIGNS)->insert(['id' => $id, 'name' => $name, 'digest' => sha1($name),
                    'type' => 'invoice']);
            }
        }
        if (!$schema->hasTable(self::QUEUE)) {
            $schema->create(self::QUEUE, function ($table) {
                $table->increments('id');
                $table->string('event', 64)->unique();
                $table->string('kind', 12);
                $table->string('subject', 40);
                $table->string('status', 10);
                $table->text('body');
                $table->string('note', 250);
                $table->integer('made_at');
                $table->index(['status', 'id']);
                $table->index('subject');
            });
        }
        if (!$schema->hasTable(self::INVOICES)) {
            $schema->create(self::INVOICES, function ($table) {
                $table->unsignedInteger('id')->primary();
                $table->integer('mailed_at');
                $table->integer('looked_at');
                $table->text('seen');
                $table->index('looked_at');
            });
        }
        if (!$schema->hasTable(self::STATE)) {
            $schema->create(self::STATE, function ($table) {
                $table->string('name', 100)->primary();
                $table->mediumText('value');
                $table->integer('until');
            });
        }
        self::forget();
    }

    public static function drop()
    {
        foreach ([self::CAMPAIGNS, self::QUEUE, self::INVOICES, self::STATE] as $table) {
            Capsule::schema()->dropIfExists($table);
        }
        self::forget();
    }

    /** What this process knows of campaigns is read again. */
    public static function forget()
    {
        self::$campaigns = null;
    }

    /**
     * The campaign of a mail template, [number, type]; number 0 when there is none, type '' when it
     * is not known.  A template that is seen for the first time gets a number, and hopcount its name.
     */
    public static function campaign(string $name): array
    {
        if (self::$campaigns === null) {
            self::$campaigns = [];
            foreach (Capsule::table(self::CAMPAIGNS)->get() as $row) {
                self::$campaigns[$row->name] = [(int) $row->id, (string) $row->type];
            }
        }
        if ($name === '' || strlen($name) > 190) {
            return [0, ''];
        }
        if (!isset(self::$campaigns[$name])) {
            self::$campaigns[$name] = self::addCampaign($name);
        }
        return self::$campaigns[$name];
    }

    /** [number => name] of all. */
    public static function campaigns(): array
    {
        $names = [];
        foreach (Capsule::table(self::CAMPAIGNS)->orderBy('id')->get() as $row) {
            $names[(int) $row->id] = (string) $row->name;
        }
        return $names;
    }

    private static function addCampaign(string $name): array
    {
        $types = Whmcs::templates();
        $type = $types[$name] ?? '';
        try {
            $id = (int) Capsule::table(self::CAMPAIGNS)->insertGetId(['name' => $name, 'digest' => sha1($name),
                'type' => $type]);
        } catch (\Throwable $e) { // another process was faster
            $id = (int) Capsule::table(self::CAMPAIGNS)->where('digest', sha1($name))->value('id');
        }
        if ($id < 1 || $id > self::CAMPAIGNS_MAX) {
            Whmcs::log('there are more mail templates than numbers of campaigns');
            return [0, $type];
        }
        return [$id, $type];
    }

    // --- small things with an end ---

    /** The value of a name, or null when there is none or its time is over. */
    public static function get(string $name)
    {
        $row = Capsule::table(self::STATE)->where('name', $name)->where('until', '>', time())->first();
        return $row === null ? null : json_decode($row->value, true);
    }

    public static function set(string $name, $value, int $forSeconds)
    {
        $row = ['value' => json_encode($value, JSON_PARTIAL_OUTPUT_ON_ERROR), 'until' => time() + $forSeconds];
        if (Capsule::table(self::STATE)->where('name', $name)->update($row) === 0) {
            try {
                Capsule::table(self::STATE)->insert($row + ['name' => $name]);
            } catch (\Throwable $e) { // another process was faster, or nothing changed
                Capsule::table(self::STATE)->where('name', $name)->update($row);
            }
        }
    }

    /** Takes a lock that nobody else has then, for at most so long; false when somebody has it. */
    public static function lock(string $name, int $forSeconds): bool
    {
        $row = ['value' => '1', 'until' => time() + $forSeconds];
        if (Capsule::table(self::STATE)->where('name', $name)->where('until', '<=', time())->update($row) === 1) {
            return true;
        }
        try {
            return Capsule::table(self::STATE)->insert($row + ['name' => $name]);
        } catch (\Throwable $e) {
            return false;
        }
    }

    public static function unlock(string $name)
    {
        Capsule::table(self::STATE)->where('name', $name)->update(['until' => 0]);
    }
}
