<?php

namespace WHMCS\Module\Addon\Hopcount;

/** The box on the dashboard of WHMCS's admin area. */
class Widget extends \WHMCS\Module\AbstractWidget
{
    protected $title = 'Links in e-mails';
    protected $description = 'Clicks of 30 days by people and machines, and what each reminder led to.';
    protected $weight = 150;
    protected $columns = 1;
    protected $cache = true;
    protected $cacheExpiry = 300;
    protected $requiredPermission = 'View Clients Summary';

    /** A widget in the language of who looks. */
    public static function make(): self
    {
        $t = Text::staff();
        $widget = new self();
        $widget->title = $t['links_in_mails'];
        $widget->description = $t['widget_text'];
        return $widget;
    }

    public function getData()
    {
        try {
            return Panels::widgetData();
        } catch (\Throwable $e) {
            return ['days' => null, 'reminders' => null, 'error' => $e->getMessage()];
        }
    }

    public function generateOutput($data)
    {
        return Panels::widgetHtml(is_array($data) ? $data : []);
    }
}
