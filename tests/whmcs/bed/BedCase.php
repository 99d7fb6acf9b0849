<?php

use PHPUnit\Framework\TestCase;

require_once __DIR__ . '/Bed.php';

/** A test in the harness: whatever PHP complains of in a file of the module makes it fail. */
abstract class BedCase extends TestCase
{
    protected function tearDown(): void
    {
        Bed::end();
    }
}
