# SPDX-License-Identifier: MIT
# Line plots as SVG: labelled axes with units, each line named at its end, no legend to look up.
# plot() takes everything that is to be shown; what is shown is decided in Series.pm.
package Plot;
use strict;
use warnings;
use List::Util qw(max min);
use Exporter 'import';
our @EXPORT_OK = qw(plot nice_ticks spread_labels escape);

my ($width, $height) = (760, 440);
my %area = (left => 76, right => 178, top => 64, bottom => 58);
my $text_height = 15;

# Ours have a colour for each data path, that those who see colours differently can tell apart too (Okabe
# and Ito), and what they are compared with greys and dashes.
my %colour_of = ('auto-buf-reg' => '#0072b2', 'zero-copy' => '#009e73', 'user-copy' => '#e69f00',
	'commit-address' => '#cc79a7', 'copy' => '#d55e00', 'auto' => '#6a3d9a');
my @more_colours = ('#56b4e9', '#8c564b', '#b2182b', '#1b7837');
my @others = ([ '#333333', '' ], [ '#555555', '7 4' ], [ '#777777', '2 3' ], [ '#888888', '9 3 2 3' ],
	[ '#666666', '4 2' ]);

sub escape {
	my ($text) = @_;
	$text =~ s/&/&amp;/g;
	$text =~ s/</&lt;/g;
	$text =~ s/>/&gt;/g;
	$text =~ s/"/&quot;/g;
	return $text;
}

# From 0 to a round number not below $top, in at most 6 round steps.
sub nice_ticks {
	my ($top) = @_;
	return (0, 1) if $top <= 0;
	my $unit = 10**int(log($top) / log(10) - ($top < 1 ? 1 : 0));
	for my $step (map { $_ * $unit / 10 } 1, 2, 5, 10, 20, 50, 100) {
		my $n = int($top / $step - 1e-9) + 1;
		return map { $_ * $step } 0 .. $n if $n <= 6;
	}
	return (0, $top);
}

# Moves positions apart that are closer than $gap, as little as needed; keeps their order and, where
# there is room, all of them between $low and $high.
sub spread_labels {
	my ($gap, $low, $high, @at) = @_;
	my @order = sort { $at[$a] <=> $at[$b] } 0 .. $#at;
	my @new = @at;
	for my $i (1 .. $#order) {
		my ($before, $here) = @order[ $i - 1, $i ];
		$new[$here] = max($new[$here], $new[$before] + $gap);
	}
	$new[ $order[-1] ] = min($new[ $order[-1] ], $high) if @order;
	for my $i (reverse 0 .. $#order - 1) {
		my ($here, $after) = @order[ $i, $i + 1 ];
		$new[$here] = min($new[$here], $new[$after] - $gap);
	}
	return @new;
}

# Scales: "log" (any base) and "linear". { kind, min, max }.
sub position {
	my ($scale, $v) = @_;
	my ($low, $high) = @$scale{qw(min max)};
	($v, $low, $high) = map { log } $v, $low, $high if $scale->{kind} eq 'log';
	return $high == $low ? 0.5 : ($v - $low) / ($high - $low);
}

sub text {
	my ($x, $y, $content, %attr) = @_;
	my $more = join '', map { " $_=\"$attr{$_}\"" } sort keys %attr;
	return sprintf "<text x=\"%.1f\" y=\"%.1f\"%s>%s</text>\n", $x, $y, $more, escape($content);
}

sub styles { # of series in order: [colour, dashes]; variants of a data path have its colour
	my (@series) = @_;
	my ($other, $more, @styles) = (0, 0);
	my %colour = %colour_of;
	for my $s (@series) {
		if (!$s->{ours}) {
			push @styles, $others[ $other++ % @others ];
			next;
		}
		my ($path, $variant) = $s->{name} =~ /^([^+@]*?)((?:-nofill)?(?:[+@].*)?)$/;
		$colour{$path} //= $more_colours[ $more++ % @more_colours ];
		my $dashes = $variant eq '' ? '' : $variant =~ /^\+batch$/ ? '8 3' : '3 2';
		push @styles, [ $colour{$path}, $dashes ];
	}
	return @styles;
}

# title, subtitle, x => { label, kind, ticks => [[value, text]...] }, y => { label, kind, ticks },
# series => [{ name, ours, points => [[x, y]...] }...]; ticks reach from end to end of their axis.
sub plot {
	my (%p) = @_;
	my ($right, $bottom) = ($width - $area{right}, $height - $area{bottom});
	my %scale = map {
		my @v = map { $_->[0] } @{ $p{$_}{ticks} };
		($_ => { kind => $p{$_}{kind}, min => min(@v), max => max(@v) })
	} qw(x y);
	my $at_x = sub { $area{left} + position($scale{x}, $_[0]) * ($right - $area{left}) };
	my $at_y = sub { $bottom - position($scale{y}, $_[0]) * ($bottom - $area{top}) };

	my $out = qq{<svg xmlns="http://www.w3.org/2000/svg" width="$width" height="$height" }
		. qq{viewBox="0 0 $width $height" font-family="sans-serif" font-size="12" fill="#222222">\n}
		. '<title>' . escape($p{title}) . "</title>\n"
		. qq{<rect width="$width" height="$height" fill="#ffffff"/>\n};
	$out .= text(16, 24, $p{title}, 'font-size' => 16, 'font-weight' => 'bold');
	$out .= text(16, 44, $p{subtitle}, fill => '#666666');
	$out .= axes(\%p, $at_x, $at_y, $right, $bottom);

	my @style = styles(@{ $p{series} });
	my @ends = map { $_->{points}[-1] } @{ $p{series} };
	my @label_y = spread_labels($text_height, $area{top}, $bottom, map { $at_y->($_->[1]) } @ends);
	for my $i (0 .. $#style) {
		my ($colour, $dashes) = @{ $style[$i] };
		my @xy = map { [ $at_x->($_->[0]), $at_y->($_->[1]) ] } @{ $p{series}[$i]{points} };
		my $dash = $dashes ? qq{ stroke-dasharray="$dashes"} : '';
		$out .= qq{<polyline fill="none" stroke="$colour" stroke-width="2" stroke-linejoin="round"$dash points="}
			. join(' ', map { sprintf '%.1f,%.1f', @$_ } @xy) . qq{"/>\n};
		if ($p{dots}) {
			$out .= sprintf qq{<circle cx="%.1f" cy="%.1f" r="3" fill="$colour"/>\n}, @$_ for @xy;
		}
		# A thin line leads to a name that had to move away from its line's end.
		$out .= sprintf qq{<path d="M%.1f %.1f L%.1f %.1f" fill="none" stroke="$colour" stroke-width="0.7"/>\n},
			$xy[-1][0] + 4, $xy[-1][1], $right + 18, $label_y[$i];
		$out .= text($right + 21, $label_y[$i] + 4, $p{series}[$i]{name}, fill => $colour,
			'font-weight' => $p{series}[$i]{ours} ? 'bold' : 'normal');
	}
	return $out . "</svg>\n";
}

sub axes {
	my ($p, $at_x, $at_y, $right, $bottom) = @_;
	my $out = '';
	for my $t (@{ $p->{y}{ticks} }) {
		my $y = $at_y->($t->[0]);
		$out .= sprintf qq{<path d="M%d %.1f H%d" stroke="#dddddd"/>\n}, $area{left}, $y, $right;
		$out .= text($area{left} - 8, $y + 4, $t->[1], 'text-anchor' => 'end');
	}
	$out .= qq{<path d="M$area{left} $bottom H$right" stroke="#222222"/>\n};
	for my $t (@{ $p->{x}{ticks} }) {
		my $x = $at_x->($t->[0]);
		$out .= sprintf qq{<path d="M%.1f %d v5" stroke="#222222"/>\n}, $x, $bottom;
		$out .= text($x, $bottom + 20, $t->[1], 'text-anchor' => 'middle');
	}
	my $middle = ($area{top} + $bottom) / 2;
	$out .= text(($area{left} + $right) / 2, $height - 14, $p->{x}{label}, 'text-anchor' => 'middle');
	$out .= text(18, $middle, $p->{y}{label}, 'text-anchor' => 'middle', transform => "rotate(-90 18 $middle)");
	return $out;
}

1;
